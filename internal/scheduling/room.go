package scheduling

import platformv1 "github.com/soma-platform/soma/api/v1alpha1"

// Rooms tell how many jobs nodes have room for now, by the engine's own rules.
type Rooms struct{ engine *Engine }

// OpenRooms is told of the nodes.
func OpenRooms(nodes []Node) *Rooms {
	e := New(Options{})
	for _, n := range nodes {
		e.SetNode(n)
	}
	e.SetQuota(Quota{Name: "any"})
	e.rebuild()
	return &Rooms{e}
}

// For is for how many jobs of one replica there is room, one beside the other, of those with GPUs also on the nodes of each model,
// and where there is none, why. What is kept for jobs that wait does not count.
func (r *Rooms) For(asks Request) (jobs int64, models []platformv1.ModelRoom, limit platformv1.RoomLimit) {
	e := r.engine
	asks.Replicas = 1
	e.SetWaiting(Waiting{Key: "job", Quota: "any", Request: asks})
	defer e.RemoveWaiting("job")
	c := e.waiting["job"].class
	ever, free := false, Amounts{}
	for _, model := range e.modelsOf(c) {
		there, nodes := int64(0), 0
		for _, g := range e.groupsFor(c, model) {
			nodes += len(g.nodes)
			for _, n := range g.nodes {
				ever = ever || c.replica.count(n.Allocatable) > 0
				there += c.replica.count(n.free)
				free = free.Plus(n.free.most(Amounts{}))
			}
		}
		jobs += there
		if model != "" && nodes > 0 && len(models) < platformv1.MaxModels {
			models = append(models, platformv1.ModelRoom{Model: model, Startable: there})
		}
	}
	switch {
	case jobs > 0:
		return jobs, models, ""
	case !ever:
		return 0, models, platformv1.RoomNoSuchNode
	case c.replica.Fits(free):
		return 0, models, platformv1.RoomFragmented
	}
	return 0, models, platformv1.RoomInUse
}

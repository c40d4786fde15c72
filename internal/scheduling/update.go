package scheduling

// World is all that an engine knows of.
type World struct {
	Quotas  []Quota
	Nodes   []Node
	Running []Running
	Waiting []Waiting
}

// Update tells the engine how the world is: what is not in it any more is forgotten, what did not change costs nothing.
func (e *Engine) Update(w World) {
	quotas, nodes := map[string]bool{}, map[string]bool{}
	for _, q := range w.Quotas {
		quotas[q.Name] = true
		e.SetQuota(q)
	}
	for name := range e.quotas {
		if !quotas[name] {
			e.RemoveQuota(name)
		}
	}
	for _, n := range w.Nodes {
		nodes[n.Name] = true
	}
	for _, name := range sortedKeys(e.nodes) {
		if !nodes[name] {
			e.RemoveNode(name)
		}
	}
	for _, n := range w.Nodes {
		e.SetNode(n)
	}
	jobs := map[string]bool{}
	for i := range w.Running {
		jobs[w.Running[i].Key] = true
	}
	for i := range w.Waiting {
		jobs[w.Waiting[i].Key] = true
	}
	for _, key := range sortedKeys(e.running) {
		if !jobs[key] {
			e.RemoveRunning(key)
		}
	}
	for _, key := range sortedKeys(e.waiting) {
		if !jobs[key] {
			e.RemoveWaiting(key)
		}
	}
	for _, r := range w.Running {
		e.SetRunning(r)
	}
	for _, waiting := range w.Waiting {
		e.SetWaiting(waiting)
	}
}

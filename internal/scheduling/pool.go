package scheduling

import (
	"slices"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// PoolOf is what a quota and those below it have together, and what is in use of it where the jobs of each quota itself hold so
// much. It is nil where the quotas above go in a circle. Quotas that are being deleted count as long as they are there, as in the engine.
func PoolOf(quota *platformv1.Quota, below []*platformv1.Quota, held map[string]*platformv1.ResourceAmounts) *platformv1.QuotaPool {
	e := New(Options{})
	top := ReadQuota(quota)
	if top.Parent != "" {
		e.SetQuota(Quota{Name: top.Parent}) // what the quota does not name is not its own
	}
	e.SetQuota(top)
	for _, q := range below {
		e.SetQuota(ReadQuota(q))
	}
	for _, amounts := range held {
		e.models.know(amounts)
	}
	e.rebuild()
	root := e.queues[top.Name]
	if root == nil || root.broken != "" {
		return nil
	}
	for _, name := range sortedKeys(held) {
		if q := e.queues[name]; q != nil && q.broken == "" {
			q.hold("", e.models.read(held[name]).uses())
		}
	}
	told := func(of func(d dimension) int64) platformv1.ResourceAmounts {
		return short(e.models.tell(of))
	}
	return &platformv1.QuotaPool{
		Total: told(func(d dimension) int64 { return min(root.bounds[d].own+root.kept(d), unlimited) }),
		Kept:  told(root.kept),
		Used:  told(root.used.at),
	}
}

// kept is what those below the queue do not lend.
func (q *queue) kept(d dimension) int64 {
	n := int64(0)
	for _, child := range q.children {
		n += child.bounds[d].guaranteed + child.kept(d)
	}
	return n
}

// short leaves out the models of which there is nothing, and of very many those of which there is least.
func short(a platformv1.ResourceAmounts) platformv1.ResourceAmounts {
	a.GPUModels = slices.DeleteFunc(a.GPUModels, func(m platformv1.GPUModelAmount) bool { return m.Count == 0 })
	a.GPUModels = platformv1.ForemostModels(a.GPUModels)
	return a
}

package access

import (
	"slices"
	"strings"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// Level is an action as a number, so that they compare; None is no action at all.
type Level uint8

// The levels, each of which includes those before it.
const (
	None Level = iota
	List
	Read
	Write
	Manage
)

var actions = []v1alpha1.Action{"", v1alpha1.ActionList, v1alpha1.ActionRead, v1alpha1.ActionWrite, v1alpha1.ActionManage}

// LevelOf is the level of an action; of one that does not exist it is None.
func LevelOf(action v1alpha1.Action) Level {
	return Level(max(slices.Index(actions, action), 0))
}

// Action is the action of a level, empty for None.
func (l Level) Action() v1alpha1.Action { return actions[l] }

// Right is one thing that somebody may do, and why.
type Right struct {
	Target Target
	Level  Level
	Why    Why
}

// Tree holds the rights of one user by address. Rights add up: a deeper one can allow more, never less. The zero Tree allows
// nothing.
type Tree struct {
	schemes map[Scheme]*node
	rights  []Right
	// limit is what a token is made for: no more than it allows is allowed. nil sets no limit.
	limit *Tree
}

// node is a place in the hierarchy: what is allowed there and below, and what more is allowed further down. Most have one place
// below them: a list in the order of names takes a tenth of what a map would.
type node struct {
	level Level
	below []branch
}

// branch is a segment that leads to a place.
type branch struct {
	segment string
	to      *node
}

// find is the place that a segment leads to, and where in the list it is or would be.
func (n *node) find(segment string) (to *node, at int) {
	at, found := slices.BinarySearchFunc(n.below, segment, func(b branch, segment string) int { return strings.Compare(b.segment, segment) })
	if found {
		to = n.below[at].to
	}
	return to, at
}

// next is the place that a segment leads to, nil where nothing is allowed there or below.
func (n *node) next(segment string) *node {
	to, _ := n.find(segment)
	return to
}

// NewTree makes the tree of rights.
func NewTree(rights []Right) *Tree {
	t := &Tree{schemes: map[Scheme]*node{}, rights: rights}
	for i := range rights {
		t.add(rights[i].Target, rights[i].Level)
	}
	return t
}

func (t *Tree) add(target Target, level Level) {
	at := t.schemes[target.Scheme]
	if at == nil {
		at = &node{}
		t.schemes[target.Scheme] = at
	}
	for _, segment := range target.path {
		next, i := at.find(segment)
		if next == nil {
			next = &node{}
			at.below = slices.Insert(at.below, i, branch{segment: segment, to: next})
		}
		at = next
	}
	at.level = max(at.level, level)
}

// Within is the tree with what is allowed cut down to what the permissions of a token name, and to that the projects are there in
// which that lies. Their addresses are absolute; others allow nothing. Of several tokens each cuts down what the others leave.
func (t *Tree) Within(permissions []v1alpha1.Permission) *Tree {
	limits := make([]Right, 0, len(permissions))
	for _, permission := range permissions {
		target, relative, err := Parse(string(permission.URI))
		if err != nil || relative {
			continue
		}
		limits = append(limits, Right{Target: target, Level: LevelOf(permission.Action)})
		if projects, lies := target.projects(); lies {
			limits = append(limits, Right{Target: projects, Level: List})
		}
	}
	limit := NewTree(limits)
	limit.limit = t.limit
	return &Tree{schemes: t.schemes, rights: t.rights, limit: limit}
}

// Level is the most that is allowed at a target. Where nothing is, but something below it, that is List: one has to find the
// way there.
func (t *Tree) Level(target Target) Level {
	level := t.level(target)
	if t.limit != nil {
		level = min(level, t.limit.Level(target))
	}
	return level
}

func (t *Tree) level(target Target) Level {
	root := t.schemes[target.Scheme]
	if root == nil {
		return None
	}
	level, reached := root.level, root
	if len(target.path) == 0 {
		return max(level, root.visible())
	}
	// Below a scheme there may be a branch for every cluster beside that of the one: they are gone through together.
	branches := [2]*node{root.next(target.path[0])}
	if target.path[0] != anyCluster && slices.Contains(InProjects, target.Scheme) {
		branches[1] = root.next(anyCluster)
	}
	for _, branch := range branches {
		reached = branch
		for _, segment := range target.path[1:] {
			if reached == nil {
				break
			}
			level = max(level, reached.level)
			reached = reached.next(segment)
		}
		if reached != nil {
			level = max(level, reached.level, reached.visible())
		}
	}
	return level
}

// visible is List for a place below which something is allowed.
func (n *node) visible() Level {
	// Nodes are made only on the way to a right, so that whatever has something below it leads to one.
	if len(n.below) > 0 {
		return List
	}
	return None
}

// Allows reports whether the action is allowed at the target. A level of None is never allowed.
func (t *Tree) Allows(target Target, level Level) bool {
	return level != None && t.Level(target) >= level
}

// Missing are those of the rights that are not allowed, in their order.
func (t *Tree) Missing(wanted []Right) []Right {
	var missing []Right
	for i := range wanted {
		if !t.Allows(wanted[i].Target, wanted[i].Level) {
			missing = append(missing, wanted[i])
		}
	}
	return missing
}

// Explain gives the rights by which the action is allowed at the target, the least that suffice first. There are none where
// it is not allowed, and for what is only to be seen on the way to something else.
func (t *Tree) Explain(target Target, level Level) []Right {
	if !t.Allows(target, level) {
		return nil
	}
	var because []Right
	for i := range t.rights {
		if t.rights[i].Level >= level && t.rights[i].Target.covers(target) {
			because = append(because, t.rights[i])
		}
	}
	slices.SortStableFunc(because, func(a, b Right) int {
		if a.Level != b.Level {
			return int(a.Level) - int(b.Level)
		}
		return len(b.Target.path) - len(a.Target.path)
	})
	return because
}

// Rights are all that the tree was made of, cut down to what a token is for.
func (t *Tree) Rights() []Right {
	if t.limit == nil {
		return t.rights
	}
	var within []Right
	limits := t.limit.Rights()
	for _, right := range t.rights {
		for i := range limits {
			if target, meet := right.Target.meet(limits[i].Target); meet {
				within = append(within, Right{Target: target, Level: min(right.Level, limits[i].Level), Why: right.Why})
			}
		}
	}
	return within
}

// Below finds what more is allowed of single things directly below a target than at the target itself: their names, and
// levels. It does not tell of what is deeper.
func (t *Tree) Below(target Target) map[string]Level {
	found := map[string]Level{}
	base := t.Level(target)
	for _, at := range t.reach(target) {
		for _, branch := range at.below {
			child := Target{Scheme: target.Scheme, path: append(slices.Clone(target.path), branch.segment)}
			if level := t.Level(child); level > max(base, List) || level > base && base < List {
				found[branch.segment] = level
			}
		}
	}
	return found
}

// reach are the nodes of a target: none, one, or that of the cluster and that of every cluster.
func (t *Tree) reach(target Target) []*node {
	root := t.schemes[target.Scheme]
	if root == nil {
		return nil
	}
	if len(target.path) == 0 {
		return []*node{root}
	}
	starts := []*node{root.next(target.path[0])}
	if target.path[0] != anyCluster && slices.Contains(InProjects, target.Scheme) {
		starts = append(starts, root.next(anyCluster))
	}
	var nodes []*node
	for _, at := range starts {
		for _, segment := range target.path[1:] {
			if at == nil {
				break
			}
			at = at.next(segment)
		}
		if at != nil {
			nodes = append(nodes, at)
		}
	}
	return nodes
}

// Most is the most that is allowed at a target or anywhere below it.
func (t *Tree) Most(target Target) Level {
	most := t.Level(target)
	if t.limit != nil {
		for _, right := range t.Rights() {
			if _, meet := right.Target.meet(target); meet {
				most = max(most, right.Level)
			}
		}
		return most
	}
	for _, at := range t.reach(target) {
		most = max(most, at.most())
	}
	return most
}

func (n *node) most() Level {
	most := n.level
	for _, branch := range n.below {
		most = max(most, branch.to.most())
	}
	return most
}

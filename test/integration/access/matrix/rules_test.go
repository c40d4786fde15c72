package matrix

import (
	"slices"
	"strings"
)

// place is where something lies, as seen from the project vision.
type place string

// The places.
const (
	one     place = "one"     // what was shared by itself: a job, and its pods
	own     place = "own"     // in the project vision, or of it
	other   place = "other"   // in the project robots, or of it
	self    place = "self"    // who asks
	nowhere place = "nowhere" // in no project, or there is none
	all     place = "all"     // all there are, in all namespaces
)

type (
	by []person
	at []place
)

// Verbs that come together.
const (
	look      = "get list watch"
	changeOne = "update patch delete"
	change    = changeOne + " create deletecollection"
)

// right is what some people may do in some places.
type right struct {
	by    by
	at    at
	verbs string
}

// rule is what is so for some kinds.
type rule struct {
	kinds []string
	// may is what people may, by whatever way they come.
	may []right
	// more is what the gateway shows beside.
	more []right
	// apart is what the gateway lets through to admission, and is tested by itself.
	apart []right
	// sees are who may know whether something is there, or in a place where it could be. To others, through the gateway, what is
	// there looks as if it were not. A rule without it is about kinds of which nobody is told either: all is refused alike.
	sees []right
	// says is what is told whom something is refused, where it is not RBAC that refuses it.
	says string
	// some: through the gateway a list shows what of it somebody may get; of a place that is named, or by a token, if it is anything.
	some bool
}

var (
	active  = by{admin, owner, writer, reader, grantee, stranger}
	members = by{owner, writer, reader}
	// workers in vision do with jobs what they like, and others look at them: in the project that is theirs.
	sights = []right{
		{by: by{owner, writer, reader, program}, at: at{one, own}}, {by: by{grantee}, at: at{one}}, {by: by{stranger}, at: at{other}},
		{by: by{admin}, at: at{one, own, other}},
	}
)

// looking are the rights of who may look at what jobs do.
func looking(verbs string) []right {
	return []right{
		{by{owner, writer, reader, program}, at{one, own}, verbs}, {by{stranger}, at{other}, verbs}, {by{admin}, at{one, own, other}, verbs},
	}
}

// rules are all that people may do with what Soma gives rights to. They are written down here by themselves, and not read from what
// decides.
var rules = []rule{
	{
		kinds: []string{"jobs.platform.soma.dev"}, some: true,
		may: append(looking(look), right{by{owner, writer}, at{one, own}, change}, right{by{stranger}, at{other}, change},
			right{by{admin}, at{one, own, other}, change}, right{by{admin}, at{nowhere, all}, look}, right{by{grantee}, at{one}, look + " " + changeOne}),
		sees: append(sights[:len(sights):len(sights)], right{by: by{admin}, at: at{nowhere}}),
	},
	{
		kinds: []string{"jobs/status.platform.soma.dev"},
		may:   append(looking("get"), right{by{grantee}, at{one}, "get"}, right{by{admin}, at{nowhere}, "get"}),
		sees:  append(sights[:len(sights):len(sights)], right{by: by{admin}, at: at{nowhere}}),
	},
	{
		kinds: []string{"jobrecords.history.soma.dev"},
		may:   append(looking("get list"), right{by{admin}, at{nowhere, all}, "get list"}),
		// Who was given one job knows of the project, and that it has a history.
		sees: append(sights[:len(sights):len(sights)], right{by: by{admin}, at: at{nowhere}}, right{by: by{grantee}, at: at{own}}),
	},
	{
		kinds: []string{"pods"}, some: true,
		may:  append(looking(look), right{by{grantee}, at{one}, look}),
		sees: sights,
	},
	{
		kinds: []string{"pods/log"},
		may:   append(looking("get"), right{by{grantee}, at{one}, "get"}),
		sees:  sights,
	},
	{
		kinds: []string{"pods/exec", "pods/attach", "pods/portforward"},
		may: []right{
			{by{owner, writer}, at{one, own}, "get create"}, {by{grantee}, at{one}, "get create"}, {by{stranger}, at{other}, "get create"},
			{by{admin}, at{one, own, other}, "get create"},
		},
		sees: sights,
	},
	{
		kinds: []string{
			"pods/binding", "pods/ephemeralcontainers", "pods/eviction", "pods/proxy", "pods/resize", "pods/status",
		},
		sees: sights,
	},
	{
		kinds: []string{"events", "events.events.k8s.io"},
		may:   looking(look),
		sees:  append(sights[:len(sights):len(sights)], right{by: by{grantee}, at: at{own}}),
	},
	{
		kinds: []string{"secrets"},
		may: []right{
			{by{owner, writer}, at{own}, look + " " + change}, {by{stranger}, at{other}, look + " " + change},
			{by{admin}, at{own, other}, look + " " + change},
		},
		// Who reads a project may know which secrets it has, and not what is in them.
		sees: []right{{by: members, at: at{own}}, {by: by{stranger}, at: at{other}}, {by: by{admin}, at: at{own, other}}},
	},
	{
		kinds: []string{"grants.platform.soma.dev"},
		may: []right{
			{members, at{own}, look}, {by{owner}, at{own}, "create " + changeOne}, {by{stranger}, at{other}, look + " create " + changeOne},
			{by{admin}, at{own, other}, look + " create " + changeOne},
		},
		sees: grantSights,
	},
	{
		kinds: []string{"grants/status.platform.soma.dev"},
		sees:  grantSights,
	},
	{
		kinds: []string{"projects.platform.soma.dev"}, some: true,
		may: []right{
			{append(by{grantee, program}, members...), at{own}, look}, {by{owner}, at{own}, changeOne}, {by{stranger}, at{other}, look + " " + changeOne},
			{by{admin}, at{own, other, nowhere, all}, look + " create " + changeOne},
		},
		sees: ofProject,
	},
	{
		kinds: []string{"quotas.platform.soma.dev"}, some: true,
		may: []right{
			{members, at{own}, look}, {by{stranger}, at{other}, look},
			{by{admin}, at{own, other, nowhere, all}, look + " create " + changeOne},
		},
		sees: ofQuota,
	},
	{
		kinds: []string{"projects/status.platform.soma.dev"},
		sees:  ofProject,
	},
	{
		kinds: []string{"quotas/status.platform.soma.dev"},
		sees:  ofQuota,
	},
	{
		kinds: []string{"clusters.platform.soma.dev"}, some: true,
		may:  []right{{active, at{own, nowhere, all}, look}, {by{admin}, at{own, nowhere, all}, "create " + changeOne}},
		sees: []right{{by: active, at: at{own, nowhere}}},
	},
	{
		kinds: []string{"clusters/status.platform.soma.dev"},
		sees:  []right{{by: active, at: at{own, nowhere}}},
	},
	{
		// Of roles everybody sees what everybody has, and those for projects and organizations: they lie at own.
		kinds: []string{"roles.platform.soma.dev"}, some: true,
		may:  []right{{active, at{own}, look}, {by{admin}, at{own, other, nowhere, all}, look + " create " + changeOne}},
		sees: []right{{by: active, at: at{own}}, {by: by{admin}, at: at{other, nowhere}}},
	},
	{
		kinds: []string{"roles/status.platform.soma.dev"},
		sees:  []right{{by: active, at: at{own}}, {by: by{admin}, at: at{other, nowhere}}},
	},
	{
		// Everybody makes service accounts, of whom they are the owner; the owner's bot lies at own.
		kinds: []string{"users.platform.soma.dev"}, some: true,
		may: []right{
			{active, at{all}, "create"}, {by{owner}, at{own}, look + " " + changeOne},
			{by{admin}, at{own, other, self, nowhere, all}, look + " create " + changeOne},
		},
		more: []right{{active, at{self}, "get list"}},
		// Of oneself one changes who may submit jobs for one: delegates_test.go.
		apart: []right{{active, at{self}, "update patch"}},
		sees:  userSights,
	},
	{
		kinds: []string{"users/status.platform.soma.dev"},
		sees:  userSights,
	},
	{
		// Whoever comes with a token is told what can be done with it.
		kinds: []string{"accessreviews.access.soma.dev", "selfreviews.access.soma.dev"},
		may:   []right{{active, at{all}, "create"}},
		more:  []right{{by{program}, at{all}, "create"}},
	},
	{
		// The request is about a job of vision. Everybody may ask, and is told by the answer itself.
		kinds: []string{"holdersreviews.access.soma.dev"}, says: "who may do what is told to who may let others",
		may: []right{{by{admin, owner}, at{all}, "create"}},
	},
	{
		// kubectl asks for it before it makes a review.
		kinds: []string{"customresourcedefinitions.apiextensions.k8s.io"},
		may:   []right{{active, at{all}, "list"}},
	},
	{
		kinds: []string{
			"selfsubjectaccessreviews.authorization.k8s.io", "selfsubjectrulesreviews.authorization.k8s.io", "selfsubjectreviews.authentication.k8s.io",
		},
		may: []right{{append(by{program, disabled}, active...), at{all}, "create"}},
	},
}

var (
	grantSights = []right{
		{by: append(by{grantee, program}, members...), at: at{own}}, {by: by{stranger}, at: at{other}}, {by: by{admin}, at: at{own, other}},
	}
	ofProject  = append(grantSights[:len(grantSights):len(grantSights)], right{by: by{admin}, at: at{nowhere}})
	ofQuota    = []right{{by: members, at: at{own}}, {by: by{stranger}, at: at{other}}, {by: by{admin}, at: at{own, other, nowhere}}}
	userSights = []right{{by: by{owner}, at: at{own}}, {by: active, at: at{self}}, {by: by{admin}, at: at{own, other, nowhere}}}
)

// closed are the groups of Kubernetes, of whose kinds no right of Soma's is, where no rule says otherwise.
var closed = []string{
	"", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "apps", "authentication.k8s.io",
	"authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io",
	"flowcontrol.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io", "policy", "rbac.authorization.k8s.io", "resource.k8s.io",
	"scheduling.k8s.io", "storage.k8s.io", "storagemigration.k8s.io",
}

// knows reports whether somebody knows that there is a place.
func knows(who person, where place) bool {
	return where == all || where == nowhere && who == admin || has(ofProject, who, where, "")
}

// ruleOf is the rule for a kind; it reports false where nobody wrote down what is so for it.
func ruleOf(k kind) (*rule, bool) {
	for i := range rules {
		if slices.Contains(rules[i].kinds, k.String()) {
			return &rules[i], true
		}
	}
	// All of pods is written down one by one: they are what people work in.
	return &rule{}, slices.Contains(closed, k.group) && (k.resource != "pods" || k.group != "")
}

// has reports whether one of the rights is somebody's in a place, with a verb if one is given.
func has(rights []right, who person, where place, verb string) bool {
	return slices.ContainsFunc(rights, func(r right) bool {
		return slices.Contains(r.by, who) && slices.Contains(r.at, where) && (verb == "" || slices.Contains(strings.Fields(r.verbs), verb))
	})
}

// outcome is what becomes of a request.
type outcome string

// The outcomes.
const (
	allowed   outcome = "allowed"
	forbidden outcome = "forbidden"         // 403
	absent    outcome = "absent"            // 404, as for what does not exist
	unknown   outcome = "not authenticated" // 401
	unserved  outcome = "not served"        // 404, whoever asks
)

// expected is what has to become of a request.
func expected(way route, who person, c *cell, there map[string]string) outcome {
	r, where := c.rule, c.at(who)
	may := has(r.may, who, where, c.verb)
	if way == direct {
		switch {
		case who == program:
			return unknown
		case may:
			return allowed
		}
		return forbidden
	}
	switch {
	case who == anonymous || who == disabled:
		return unknown
	case c.sub == "proxy":
		return unserved
	case may, has(r.more, who, where, c.verb), c.listsSome(who, there):
		return allowed
	case c.name != "" && c.verb != "list" && c.verb != "watch" && r.sees != nil && !has(r.sees, who, where, ""):
		return absent
	}
	return forbidden
}

package accessapi

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	api "github.com/soma-platform/soma/api/access/v1alpha1"
	platform "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

// platformGroup is the API group of what answers are found from.
const platformGroup = platform.GroupName

// What bounds an answer.
const (
	maxReasons  = 16
	maxManagers = 5
	maxHolders  = 500
	maxRights   = 1000
)

// asker is who asks.
type asker struct {
	// username and groups are those that Kubernetes knows.
	username string
	groups   []string
	// user is the name of ours, where it is one of ours.
	user string
	ours bool
	// readsAll: not one of ours, but who may read everything by the rights of the cluster.
	readsAll bool
	// tokens that they came with, by their names. What these are not made for they may not do.
	tokens []string
}

// facts are what is decided from.
type facts struct {
	directory  *access.Directory
	membership *access.Membership
	now        time.Time
	asker      asker
}

// question is what a review is about.
type question struct {
	target access.Target
	// found is false for an address in a project that does not exist.
	found bool
	level access.Level
	// shown is the address as the asker may know it.
	shown string
}

// read reads a question, or says what is wrong with it.
func (f facts) read(kind string, uri platform.Address, project string, action platform.Action) (question, error) {
	q := question{level: access.LevelOf(action), shown: string(uri)}
	var wrong field.ErrorList
	spec := field.NewPath("spec")
	if q.level == access.None {
		wrong = append(wrong, field.NotSupported(spec.Child("action"), action,
			[]platform.Action{platform.ActionList, platform.ActionRead, platform.ActionWrite, platform.ActionManage}))
	}
	_, relative, err := access.Parse(string(uri))
	switch {
	case err != nil:
		wrong = append(wrong, field.Invalid(spec.Child("uri"), uri, err.Error()))
	case relative && project == "":
		wrong = append(wrong, field.Required(spec.Child("project"), fmt.Sprintf("an address without // lies in a project: name it, or write %s", absolute(uri))))
	}
	if len(wrong) > 0 {
		return q, apierrors.NewInvalid(schema.GroupKind{Group: api.GroupName, Kind: kind}, "", wrong)
	}
	if q.target, q.found, err = f.directory.Resolve(string(uri), project); err != nil {
		return q, apierrors.NewBadRequest(err.Error())
	}
	// That a project exists, and in which organization, is told to who may know it.
	if q.found && f.sees(project) {
		q.shown = q.target.String()
	}
	return q, nil
}

// absolute is a pattern of an absolute address for a relative one.
func absolute(uri platform.Address) string {
	scheme, path, _ := strings.Cut(string(uri), ":")
	return strings.TrimSuffix(scheme+"://CLUSTER/ORGANIZATION/PROJECT/"+path, "/")
}

// sees reports whether who asks may know of a project.
func (f facts) sees(project string) bool {
	facts, found := f.directory.Project(project)
	return found && (f.asker.readsAll ||
		f.tree().Allows(access.In(access.Project, access.Home, facts.Organization, project), access.List))
}

// tree is what who asks may do, with what they came with.
func (f facts) tree() *access.Tree {
	if !f.asker.ours {
		return &access.Tree{}
	}
	tree := f.membership.Tree(f.asker.user)
	for _, id := range f.asker.tokens {
		token := f.token(id)
		if token == nil {
			return &access.Tree{}
		}
		if len(token.Scope) > 0 {
			tree = tree.Within(token.Scope)
		}
	}
	return tree
}

// token is one of who asks, nil where it does not count any more.
func (f facts) token(id string) *platform.Token {
	user := f.directory.User(f.asker.user)
	if user == nil {
		return nil
	}
	for i := range user.Spec.Tokens {
		if token := &user.Spec.Tokens[i]; token.ID == id && f.now.Before(token.ExpiresAt.Time) {
			return token
		}
	}
	return nil
}

// scope says what the tokens are for with which somebody asks, where that is less than everything.
func (f facts) scope() string {
	var parts []string
	for _, id := range f.asker.tokens {
		token := f.token(id)
		if token == nil {
			return fmt.Sprintf("the token %q has ended", id)
		}
		for _, permission := range token.Scope {
			parts = append(parts, fmt.Sprintf("%s on %s", permission.Action, permission.URI))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "the token is for nothing but " + strings.Join(parts, ", ")
}

// mayAsk reports whether who asks may know what others may do with something: who may let them.
func (f facts) mayAsk(target access.Target) bool {
	return f.asker.readsAll || f.tree().MayPass(access.Right{Target: target, Level: access.Read})
}

// notice is what else is told to who asks: that Soma does not know them, or that they came with a token for less.
func (f facts) notice() string {
	switch {
	case !f.asker.ours:
		return fmt.Sprintf("Soma does not know %q: what this user may do, the cluster's own RBAC says (kubectl auth can-i)", f.asker.username)
	case f.directory.User(f.asker.user) == nil:
		return fmt.Sprintf("there is no user %q: the name counts for nothing", f.asker.user)
	case !f.directory.Active(f.asker.user):
		return fmt.Sprintf("user %q, or who answers for it, is disabled or being deleted, and may do nothing", f.asker.user)
	}
	return f.scope()
}

// access decides an AccessReview. What is not to be known is answered as what is not there.
func (f facts) access(spec *api.AccessReviewSpec) (api.AccessReviewStatus, error) {
	q, err := f.read("AccessReview", spec.URI, spec.Project, spec.Action)
	if err != nil {
		return api.AccessReviewStatus{}, err
	}
	self := spec.User == "" || f.asker.ours && spec.User == f.asker.user
	status, tree := api.AccessReviewStatus{User: spec.User}, &access.Tree{}
	switch {
	case self:
		status.User, status.Message, tree = f.asker.user, f.notice(), f.tree()
	case q.found && f.mayAsk(q.target), f.mayAsk(access.Named(access.User, spec.User)):
		tree = f.membership.Tree(spec.User)
	}
	if q.found {
		status.Level = tree.Level(q.target).Action()
		status.Allowed = tree.Allows(q.target, q.level)
	}
	if status.Allowed {
		status.Because = reasons(tree, q.target, q.level)
		return status, nil
	}
	status.Missing = []api.MissingRight{{URI: q.shown, Action: spec.Action}}
	if q.found && self {
		status.Managers = f.managers(q.target)
	}
	return status, nil
}

// onTheWay is why what has nothing allowed on it may be listed.
const onTheWay = "something that lies below it may be seen, and has to be found"

// reasons are why an action is allowed.
func reasons(tree *access.Tree, target access.Target, level access.Level) []api.Because {
	rights := tree.Explain(target, level)
	if len(rights) == 0 {
		return []api.Because{{Text: onTheWay}}
	}
	because := make([]api.Because, 0, min(len(rights), maxReasons))
	for _, right := range rights[:min(len(rights), maxReasons)] {
		because = append(because, becauseOf(right))
	}
	return because
}

func becauseOf(right access.Right) api.Because {
	because := api.Because{Text: right.Why.String(), URI: right.Target.String(), Action: right.Level.Action(), Roles: right.Why.Roles}
	if grant := right.Why.Grant; grant != nil {
		because.Grant = &api.GrantReference{Project: grant.Namespace, Name: grant.Name}
		because.GrantedBy, because.ExpiresAt = grant.Spec.GrantedBy, grant.Spec.ExpiresAt.DeepCopy()
	}
	return because
}

// managers are users who may let others do something in a project. They are told to who may read the project, and so the
// grants from which they are found.
func (f facts) managers(target access.Target) []string {
	project := target.Project()
	facts, found := f.directory.Project(project)
	if !found || !f.tree().Allows(access.In(access.Project, access.Home, facts.Organization, project), access.Read) {
		return nil
	}
	var managers []string
	for _, grant := range f.directory.Grants(project) {
		user := grant.Spec.To.User
		if user != "" && !slices.Contains(managers, user) && f.membership.Tree(user).MayPass(access.Right{Target: target, Level: access.Read}) {
			managers = append(managers, user)
		}
	}
	slices.Sort(managers)
	return managers[:min(len(managers), maxManagers)]
}

// holders decides a HoldersReview.
func (f facts) holders(spec *api.HoldersReviewSpec) (api.HoldersReviewStatus, error) {
	q, err := f.read("HoldersReview", spec.URI, spec.Project, spec.Action)
	if err != nil {
		return api.HoldersReviewStatus{}, err
	}
	if !q.found || !f.mayAsk(q.target) {
		needed := platform.ActionManage
		if strings.HasPrefix(q.shown, string(access.Project)+":") {
			needed = platform.ActionWrite
		}
		return api.HoldersReviewStatus{}, apierrors.NewForbidden(schema.GroupResource{Group: api.GroupName, Resource: "holdersreviews"}, "",
			fmt.Errorf("who may do what is told to who may let others: missing %s on %s", needed, q.shown))
	}
	var status api.HoldersReviewStatus
	for _, name := range f.directory.Users() {
		tree := f.membership.Tree(name)
		if !tree.Allows(q.target, q.level) {
			continue
		}
		holder := api.Holder{User: name, DisplayName: f.directory.User(name).Spec.DisplayName, Level: tree.Level(q.target).Action()}
		status.Holders = append(status.Holders, holder)
	}
	slices.SortStableFunc(status.Holders, func(a, b api.Holder) int {
		return cmp.Compare(access.LevelOf(b.Level), access.LevelOf(a.Level))
	})
	if more := len(status.Holders) - maxHolders; more > 0 {
		status.Holders, status.More = status.Holders[:maxHolders], int32(more) //nolint:gosec // there are not that many users
	}
	for i := range status.Holders {
		holder := &status.Holders[i]
		holder.Because = reasons(f.membership.Tree(holder.User), q.target, access.LevelOf(holder.Level))[0].Text
	}
	return status, nil
}

// self decides a SelfReview.
func (f facts) self() api.SelfReviewStatus {
	status := api.SelfReviewStatus{Username: f.asker.username, Message: f.notice()}
	user := f.directory.User(f.asker.user)
	if !f.asker.ours || user == nil {
		status.Groups = f.asker.groups
		return status
	}
	status.User, status.DisplayName = user.Name, user.Spec.DisplayName
	status.Groups, status.Roles = slices.Clone(user.Status.Groups), slices.Clone(user.Spec.Roles)
	// Of what comes by several ways, the one is told that gives most.
	most := map[string]access.Right{}
	for _, right := range f.tree().Rights() {
		uri := right.Target.String()
		if known, found := most[uri]; right.Level > access.None && (!found || right.Level > known.Level) {
			most[uri] = right
		}
	}
	for uri, right := range most {
		status.Rights = append(status.Rights, api.HeldRight{URI: uri, Action: right.Level.Action(), Because: becauseOf(right)})
	}
	slices.SortFunc(status.Rights, func(a, b api.HeldRight) int { return cmp.Compare(a.URI, b.URI) })
	if more := len(status.Rights) - maxRights; more > 0 {
		status.Rights, status.More = status.Rights[:maxRights], int32(more) //nolint:gosec // a user has not that many rights
	}
	return status
}

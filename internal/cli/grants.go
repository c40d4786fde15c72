package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// maxGrantName is how long a grant's name may be.
const maxGrantName = 63

// parseGrantee reads to whom something is given: bob, user:bob, group:ml or role:auditors.
func parseGrantee(text string) (v1alpha1.Grantee, error) {
	kind, name, found := strings.Cut(text, ":")
	if !found {
		kind, name = "user", text
	}
	switch {
	case name == "":
	case kind == "user":
		return v1alpha1.Grantee{User: name}, nil
	case kind == "group":
		return v1alpha1.Grantee{Group: name}, nil
	case kind == "role":
		return v1alpha1.Grantee{Role: name}, nil
	}
	return v1alpha1.Grantee{}, fmt.Errorf("%q names nobody: write a user's name, group:NAME or role:NAME", text)
}

// granteeText is what parseGrantee reads.
func granteeText(to v1alpha1.Grantee) string {
	switch {
	case to.Group != "":
		return "group:" + to.Group
	case to.Role != "":
		return "role:" + to.Role
	}
	return to.User
}

// readable is a part of a grant's name that says what it says.
var readable = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// grantName is the name of a grant, the same for the same words: bob.read.job.train, bob.project-writer. Where it cannot say
// all, it ends with a part of a hash.
func grantName(spec *v1alpha1.GrantSpec) string {
	var parts []string
	exact := true
	add := func(text string) {
		for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == '/' || r == ':' }) {
			if !readable.MatchString(part) {
				exact = false
				if part = unreadable.ReplaceAllString(strings.ToLower(part), "-"); strings.Trim(part, "-") == "" {
					continue
				}
				part = strings.Trim(part, "-")
			}
			parts = append(parts, part)
		}
	}
	to := spec.To
	switch {
	case to.Group != "":
		parts = append(parts, "group")
		add(to.Group)
	case to.Role != "":
		parts = append(parts, "role")
		add(to.Role)
	default:
		// A user of such a name is not to be taken for a group.
		exact = to.User != "group" && to.User != "role"
		add(to.User)
	}
	if spec.Role != "" {
		add(spec.Role)
	} else {
		add(string(spec.Action))
		// An absolute address lies in this project too.
		exact = exact && !strings.Contains(string(spec.URI), "://")
		add(string(spec.URI))
	}
	name := strings.Join(parts, ".")
	if exact && len(name) <= maxGrantName {
		return name
	}
	sum := sha256.Sum256([]byte(granteeText(to) + "\x00" + spec.Role + "\x00" + string(spec.Action) + "\x00" + string(spec.URI)))
	hash := "-" + hex.EncodeToString(sum[:4])
	return strings.TrimRight(name[:min(len(name), maxGrantName-len(hash))], "-.") + hash
}

// unreadable is what a part of a grant's name does not have.
var unreadable = regexp.MustCompile(`[^-a-z0-9]+`)

// parseUntil reads when something ends: in a while, or at a time. The zero time is never.
func parseUntil(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	var until time.Time
	if d, err := parseDuration(text); err == nil {
		until = now.Add(d)
	} else if until, err = parseTime(text, now); err != nil {
		return until, fmt.Errorf("%q is not a time; write how long from now, 12h or 7d, or 2026-02-28, 2026-02-28T09:30:00Z", text)
	}
	if !until.After(now) {
		return until, fmt.Errorf("%q is not in the future", text)
	}
	return until.Truncate(time.Second), nil
}

// given is what was done about a grant.
type given string

const (
	givenNew     given = "made"
	givenAlready given = "there already"
	givenChanged given = "ends at another time now"
)

// give makes a grant in a project. One that is there already is no error: it ends then as this one was to end.
func (a *app) give(ctx context.Context, project string, spec v1alpha1.GrantSpec) (*unstructured.Unstructured, given, error) {
	grant := &v1alpha1.Grant{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Grant"},
		ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: grantName(&spec)},
		Spec:       spec,
	}
	made, err := a.create(ctx, grants, project, grant, false)
	if !apierrors.IsAlreadyExists(err) {
		return made, givenNew, err
	}
	u, err := a.get(ctx, grants, project, grant.Name)
	if err != nil {
		return nil, "", err
	}
	there, err := decode[v1alpha1.Grant](u)
	switch {
	case err != nil:
		return nil, "", err
	case there.Spec.To != spec.To || there.Spec.Role != spec.Role || there.Spec.URI != spec.URI || there.Spec.Action != spec.Action:
		return nil, "", fmt.Errorf("grant %q in project %q gives something else: %s\ntake it back first: \"%s\"", grant.Name, project, grantText(&there.Spec), a.inProject(project, "acl revoke "+grant.Name))
	case there.DeletionTimestamp != nil:
		return nil, "", fmt.Errorf("grant %q in project %q is being taken back\ntry again in a moment", grant.Name, project)
	case there.Spec.ExpiresAt.Equal(spec.ExpiresAt):
		return u, givenAlready, nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": there.UID}, "spec": map[string]any{"expiresAt": spec.ExpiresAt}})
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := a.request(ctx)
	defer cancel()
	options := metav1.PatchOptions{FieldValidation: metav1.FieldValidationStrict, FieldManager: "soma"}
	u, err = a.clients.dynamic.Resource(grants).Namespace(project).Patch(ctx, grant.Name, types.MergePatchType, patch, options)
	return u, givenChanged, a.explainError(ctx, err, grants, project, grant.Name)
}

// grantText is what a grant says, for a person.
func grantText(spec *v1alpha1.GrantSpec) string {
	text := fmt.Sprintf("%s may %s %s", granteeText(spec.To), spec.Action, spec.URI)
	if spec.Role != "" {
		text = fmt.Sprintf("%s has role %s", granteeText(spec.To), spec.Role)
	}
	if spec.ExpiresAt != nil {
		text += " until " + clock(spec.ExpiresAt.Time)
	}
	return text
}

// wanted are the words by which grants are taken back.
type wanted struct {
	to   v1alpha1.Grantee
	role string
	// uri, and the actions on it: all where none are named.
	uri     v1alpha1.Address
	actions []v1alpha1.Action
}

func (w *wanted) matches(spec *v1alpha1.GrantSpec) bool {
	if spec.To != w.to || spec.Role != w.role || w.role != "" {
		return spec.To == w.to && spec.Role == w.role
	}
	// Either is a way of writing the same.
	same := spec.URI == w.uri
	if p, err := parsePlace(string(spec.URI), ""); err == nil && !same {
		within, ok := p.within()
		same = ok && within == w.uri
	}
	return same && (len(w.actions) == 0 || slices.Contains(w.actions, spec.Action))
}

// findGrants are the names of a project's grants that the words mean.
func (a *app) findGrants(ctx context.Context, project string, w *wanted) ([]string, error) {
	found, err := a.list(ctx, grants, project, metav1.ListOptions{}, 0)
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range found.Items {
		if grant, err := decode[v1alpha1.Grant](&found.Items[i]); err == nil && w.matches(&grant.Spec) {
			names = append(names, grant.Name)
		}
	}
	return names, nil
}

// revoke takes grants back and, where that is wanted, waits until they count no more.
func (a *app) revoke(ctx context.Context, project string, names []string, wait bool) error {
	var all error
	var gone []*v1alpha1.Grant
	for _, name := range names {
		grant := &v1alpha1.Grant{}
		if u, err := a.get(ctx, grants, project, name); err == nil {
			if there, err := decode[v1alpha1.Grant](u); err == nil {
				grant = there
			}
		}
		err := a.delete(ctx, grants, project, name)
		if all = errors.Join(all, err); err == nil {
			fmt.Fprintf(a.out, "%s taken back\n", name)
			gone = append(gone, grant)
		}
	}
	for _, grant := range gone {
		if wait && !a.ended(ctx, grant) {
			fmt.Fprintf(a.err, "What was taken back counts no more %s.\n", soon)
			break
		}
	}
	return errors.Join(all, ctx.Err())
}

// delete removes one object.
func (a *app) delete(ctx context.Context, gvr schema.GroupVersionResource, namespace, name string) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	ctx, cancel := a.request(ctx)
	defer cancel()
	return a.explainError(ctx, c.dynamic.Resource(gvr).Namespace(namespace).Delete(ctx, name, metav1.DeleteOptions{}), gvr, namespace, name)
}

// inProject is a command in a project, as it is to be typed.
func (a *app) inProject(project, rest string) string {
	if a.clients != nil && project != a.clients.project {
		rest += " --project " + project
	}
	return a.command(rest)
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

func newProject(a *app) *cobra.Command {
	c := &cobra.Command{Use: "project", Aliases: []string{"projects"}, Short: "See, make and choose projects"}
	c.AddCommand(
		newListing(a, a.projectListing()),
		newShow(a, projects, "Show a project and what it may use", a.currentProject, once(a.objectNames(projects), noMore), func(ctx context.Context, p *v1alpha1.Project, _ bool) error {
			quota, err := a.quotaOf(ctx, p.Name)
			if err != nil {
				quota = nil // it helps, so that a user who may not see it goes on without
			}
			return a.describeProject(p, quota)
		}),
		newProjectUse(a), newProjectCreate(a),
	)
	return c
}

func (a *app) projectListing() listing[v1alpha1.Project] {
	return listing[v1alpha1.Project]{
		resource: projects, short: "List projects; * marks the current one", scheme: access.Project,
		none:    fmt.Sprintf("You have no projects. Ask who manages one to let you in: \"%s acl grant YOU project-writer\", and what you are called says \"%s whoami\".", a.program, a.program),
		columns: []column{{name: "Current"}, {name: "Name"}, {name: "Phase"}, {name: "Ready"}, {name: "Organization"}, {name: "Quota"}, {name: "Age"}, {name: "Message", wide: true}},
		rows: func(p *v1alpha1.Project, now time.Time) [][]any {
			current := ""
			if p.Name == a.clients.project {
				current = "*"
			}
			ready, why := readiness(p.Status.Conditions)
			return [][]any{{current, p.Name, string(p.Status.Phase), ready, p.Spec.Organization, p.Spec.Quota, ago(p.CreationTimestamp.Time, now), why}}
		},
	}
}

func (a *app) currentProject(context.Context) (string, error) {
	c, err := a.connect()
	if err != nil {
		return "", err
	}
	return c.project, nil
}

// projectExists fails where the current project does not exist. A user who may not see projects is not told.
func (a *app) projectExists(ctx context.Context) error {
	name, err := a.currentProject(ctx)
	if err != nil {
		return err
	}
	if _, err = a.get(ctx, projects, "", name); !apierrors.IsNotFound(err) {
		return nil
	}
	return errors.New(noProject(name, a.program))
}

// describeProject shows a project and, where quota is given, how much of it is left.
func (a *app) describeProject(p *v1alpha1.Project, quota *chain) error {
	ready, why := readiness(p.Status.Conditions)
	a.printFields(a.out, []field{
		{"Name", p.Name}, {"Description", p.Spec.Description}, {"Organization", p.Spec.Organization},
		{"Phase", string(p.Status.Phase)}, {"Ready", ready}, {"Message", why},
		{"Quota", p.Spec.Quota}, {"Nothing runs", whyNothingRuns(p, quota)}, {"Created", describeTime(p.CreationTimestamp.Time, a.now())},
	})
	if quota == nil {
		return nil
	}
	fmt.Fprintln(a.out)
	return a.printBalance(&quota.quotas[0], quota.books())
}

// whyNothingRuns says what is wrong with the project's quota, or those above it; "" for nothing.
func whyNothingRuns(p *v1alpha1.Project, quota *chain) string {
	if found := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionQuotaFound); found != nil && found.Status == metav1.ConditionFalse {
		return found.Message
	}
	if quota != nil {
		if ready, why := readiness(quota.quotas[0].Status.Conditions); ready == string(metav1.ConditionFalse) {
			return why
		}
	}
	return ""
}

func newProjectUse(a *app) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "use NAME", Short: "Make a project the current one",
		Long:              "Make a project the current one: the namespace of the kubeconfig's context, also for kubectl.",
		Args:              oneArg("the name of the project"),
		ValidArgsFunction: once(a.objectNames(projects), noMore),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			name := args[0]
			u, err := a.get(c.Context(), projects, "", name)
			if err != nil {
				return err
			}
			loader := a.kube.load()
			config, err := loader.RawConfig()
			if err != nil {
				return badKubeconfig(err)
			}
			current := config.CurrentContext
			if a.kube.context != "" {
				current = a.kube.context
			}
			if config.Contexts[current] == nil {
				return fmt.Errorf("the kubeconfig has no context %q in which the project could be kept; use --project instead", current)
			}
			config.Contexts[current] = withNamespace(config.Contexts[current], name)
			if err := clientcmd.ModifyConfig(loader.ConfigAccess(), config, false); err != nil {
				return fmt.Errorf("the kubeconfig cannot be written: %w\nuse --project instead, or make the file writable", err)
			}
			if !out.table() {
				return out.object(a.out, u)
			}
			_, err = fmt.Fprintf(a.out, "The current project is %s (context %s).\n", name, current)
			return err
		},
	}
	out.addTo(c)
	return c
}

func withNamespace(context *clientcmdapi.Context, namespace string) *clientcmdapi.Context {
	changed := context.DeepCopy()
	changed.Namespace = namespace
	return changed
}

func newProjectCreate(a *app) *cobra.Command {
	var quota, organization, description, timeout string
	var wait bool
	var out output
	c := &cobra.Command{
		Use: "create NAME", Short: "Make a project",
		Long:    "Make a project with a namespace of its name, and wait until it can be used. Without a quota nothing may run in it.",
		Example: a.examples("project create vision --quota research", "its jobs use what the quota research has"),
		Args:    oneArg("the name of the project"), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			ctx, cancel, err := limited(c.Context(), timeout)
			if err != nil {
				return usageError(c, err)
			}
			defer cancel()
			project := &v1alpha1.Project{
				TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Project"},
				ObjectMeta: metav1.ObjectMeta{Name: args[0]},
				Spec:       v1alpha1.ProjectSpec{Quota: quota, Organization: organization, Description: description},
			}
			u, err := a.create(c.Context(), projects, "", project, false)
			if err != nil {
				return err
			}
			if wait {
				if u, err = a.waitForProject(ctx, args[0]); err != nil {
					return err
				}
			}
			if !out.table() {
				return out.object(a.out, u)
			}
			if quota == "" {
				fmt.Fprintln(a.err, "Nothing may run in it until an administrator sets spec.quota.")
			}
			_, err = fmt.Fprintln(a.out, args[0])
			return err
		},
	}
	c.Flags().StringVar(&quota, "quota", "", "quota whose amounts the project's jobs use")
	c.Flags().StringVar(&organization, "organization", "", "organization that the project belongs to")
	c.Flags().StringVar(&description, "description", "", "description for people")
	c.Flags().BoolVar(&wait, "wait", true, "end when the project can be used, and who has rights in it can use them")
	c.Flags().StringVar(&timeout, "timeout", "1m", "how long to wait")
	completeFlag(c, "quota", a.objectNames(quotas))
	out.addTo(c)
	return c
}

// waitForProject waits until the project's namespace is ready.
func (a *app) waitForProject(ctx context.Context, name string) (*unstructured.Unstructured, error) {
	var ready *unstructured.Unstructured
	gone := fmt.Errorf("project %q was deleted", name)
	selectors := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String()}
	err := a.watch(ctx, projects, "", selectors, gone, func(u *unstructured.Unstructured, deleted bool) (bool, error) {
		if deleted {
			return false, gone
		}
		p, err := decode[v1alpha1.Project](u)
		if err != nil {
			return false, err
		}
		ready = u
		return p.Status.Phase == v1alpha1.ProjectActive && p.Status.ObservedGeneration >= p.Generation, nil
	})
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, &exitError{code: exitTimeout, err: fmt.Errorf("project %q: %w\nsee why with \"%s project status %s\"", name, context.Cause(ctx), a.program, name)}
	}
	return ready, err
}

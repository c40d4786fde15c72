package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilversion "k8s.io/apimachinery/pkg/util/version"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/version"
)

// oldestKubernetes is the oldest version of Kubernetes on which Soma runs.
const oldestKubernetes = "1.34"

// finding is what the doctor found at one place.
type finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	// Says is what was found.
	Says string `json:"says"`
	// ToDo is what helps where it is not well.
	ToDo string `json:"toDo,omitempty"`
}

func well(check, format string, args ...any) finding {
	return finding{Check: check, OK: true, Says: fmt.Sprintf(format, args...)}
}

func ill(check, says, toDo string) finding { return finding{Check: check, Says: says, ToDo: toDo} }

// illBy is a finding of an error, of which the lines after the first say what to do.
func illBy(check string, err error) finding {
	says, toDo, _ := strings.Cut(err.Error(), "\n")
	return ill(check, says, toDo)
}

func newDoctor(a *app) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "doctor", Short: "Look for what keeps you from running jobs",
		Long: `Look at everything on the way from this program to a running job: the kubeconfig, the cluster, Soma on it, the history,
the current project and its quota, and the clusters that run jobs. Nothing is changed. The exit code is 1 where something
is not well.`,
		Args: noArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			found := a.examine(c.Context())
			if err := c.Context().Err(); err != nil {
				return err
			}
			if err := a.printFindings(&out, found); err != nil {
				return err
			}
			if slices.ContainsFunc(found, func(f finding) bool { return !f.OK }) {
				return exitWith(exitFailure)
			}
			return nil
		},
	}
	out.addTo(c)
	return c
}

func (a *app) printFindings(out *output, found []finding) error {
	if !out.table() {
		var names []string
		for _, f := range found {
			names = append(names, f.Check)
		}
		return out.data(a.out, strings.Join(names, "\n"), map[string]any{"findings": found})
	}
	style := styleOf(a.out, a)
	for _, f := range found {
		mark := style.good("ok     ")
		if !f.OK {
			mark = style.bad("PROBLEM")
		}
		fmt.Fprintf(a.out, "%s  %s: %s\n", mark, f.Check, f.Says)
		if f.ToDo != "" {
			fmt.Fprintf(a.out, "         %s\n", strings.ReplaceAll(f.ToDo, "\n", "\n         "))
		}
	}
	return nil
}

// examine looks at one thing after the other; what cannot be seen because of something before is not looked at.
func (a *app) examine(ctx context.Context) []finding {
	c, err := a.connect()
	if err != nil {
		return []finding{illBy("kubeconfig", err)}
	}
	found := []finding{well("kubeconfig", "%s, project %s", c.config.Host, c.project)}
	server, err := a.serverVersion(ctx)
	if err != nil {
		return append(found, illBy("cluster", err))
	}
	found = append(found, judgeKubernetes(server.GitVersion))
	kinds := metav1.APIResourceList{}
	err = a.readJSON(ctx, "/apis/"+v1alpha1.GroupVersion.String(), &kinds)
	installed := judgeKinds(&kinds, err)
	if found = append(found, installed); !installed.OK {
		return found
	}
	platform, err := a.platformVersion(ctx)
	if skew := versionSkew(clientVersion(), platform); skew != "" {
		found = append(found, ill("versions", skew, ""))
	} else if err == nil && platform != "" {
		found = append(found, well("versions", "Soma %s, this program %s", platform, version.Get()))
	}
	return append(found, a.examineHistory(ctx), a.examineProject(ctx), a.examineAdmission(ctx), a.examineClusters(ctx))
}

func (a *app) examineHistory(ctx context.Context) finding {
	if _, err := a.list(ctx, jobRecords, a.clients.project, metav1.ListOptions{}, 1); err != nil {
		return illBy("history", err)
	}
	return well("history", "answers")
}

// examineAdmission has a job checked that is not made.
func (a *app) examineAdmission(ctx context.Context) finding {
	job := &v1alpha1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{Name: generateName("doctor")}, Spec: v1alpha1.JobSpec{Image: "doctor"},
	}
	if _, err := a.create(ctx, jobs, a.clients.project, job, true); err != nil {
		return illBy("submission", err)
	}
	return well("submission", "you may submit jobs, and they are checked")
}

func (a *app) examineProject(ctx context.Context) finding {
	u, err := a.get(ctx, projects, "", a.clients.project)
	switch {
	case apierrors.IsForbidden(err):
		return well("project", "you may not see projects, which running jobs does not need")
	case apierrors.IsNotFound(err):
		return illBy("project", a.projectExists(ctx))
	case err != nil:
		return illBy("project", err)
	}
	project, err := decode[v1alpha1.Project](u)
	if err != nil {
		return illBy("project", err)
	}
	above, err := a.quotaOf(ctx, project.Name)
	if err != nil && !unseen(err) {
		return illBy("project", err)
	}
	quota := (*v1alpha1.Quota)(nil)
	if above != nil {
		quota = &above.quotas[0]
	}
	return judgeProject(project, quota, apierrors.IsForbidden(err))
}

func (a *app) examineClusters(ctx context.Context) finding {
	found, err := a.list(ctx, clusters, "", metav1.ListOptions{}, 0)
	if apierrors.IsForbidden(err) {
		return well("clusters", "you may not see clusters, which running jobs does not need")
	}
	var all []*v1alpha1.Cluster
	if err == nil {
		for i := range found.Items {
			one, problem := decode[v1alpha1.Cluster](&found.Items[i])
			err = errors.Join(err, problem)
			all = append(all, one)
		}
	}
	if err != nil {
		return illBy("clusters", err)
	}
	return judgeClusters(all)
}

// judgeKubernetes holds the version of the API server against the oldest that Soma runs on.
func judgeKubernetes(server string) finding {
	its, err := utilversion.ParseGeneric(server)
	if err == nil && its.LessThan(utilversion.MustParseGeneric(oldestKubernetes)) {
		return ill("cluster", "Kubernetes "+server+" is older than "+oldestKubernetes, "upgrade the cluster, or use another by --context")
	}
	return well("cluster", "Kubernetes %s answers", server)
}

// judgeKinds looks for Soma's kinds among those that the API server knows of their group.
func judgeKinds(known *metav1.APIResourceList, err error) finding {
	const install = "install it with \"make deploy\" or its Helm chart, or choose a cluster that has it by --context"
	if apierrors.IsNotFound(err) {
		return ill("Soma", "it is not installed on this cluster", install)
	}
	if err != nil {
		return illBy("Soma", err)
	}
	var missing []string
	for _, resource := range []string{jobs.Resource, projects.Resource, quotas.Resource, clusters.Resource} {
		if !slices.ContainsFunc(known.APIResources, func(r metav1.APIResource) bool { return r.Name == resource }) {
			missing = append(missing, resource)
		}
	}
	if len(missing) > 0 {
		return ill("Soma", "the cluster does not know its "+strings.Join(missing, ", "), install)
	}
	return well("Soma", "its kinds are installed")
}

// judgeProject looks at a project and its quota, which is nil where there is none; hidden: where it may not be seen.
func judgeProject(p *v1alpha1.Project, quota *v1alpha1.Quota, hidden bool) finding {
	const ask = "ask an administrator to give the project a quota: without one nothing may run in it"
	ready, why := readiness(p.Status.Conditions)
	switch {
	case p.Spec.Quota == "":
		return ill("project", fmt.Sprintf("%s has no quota", p.Name), ask)
	case quota == nil && !hidden:
		return ill("project", fmt.Sprintf("its quota %q does not exist", p.Spec.Quota), ask)
	case ready != string(metav1.ConditionTrue):
		return ill("project", fmt.Sprintf("%s is not ready: %s", p.Name, why), "wait a moment; if it goes on, ask an administrator")
	case quota != nil:
		if ready, why := readiness(quota.Status.Conditions); ready != string(metav1.ConditionTrue) {
			return ill("project", fmt.Sprintf("its quota %s is not ready: %s", quota.Name, why), "ask an administrator to look at the quota")
		}
	}
	return well("project", "%s is ready, with the quota %s", p.Name, p.Spec.Quota)
}

// judgeClusters wants one cluster at least, and all of them ready.
func judgeClusters(all []*v1alpha1.Cluster) finding {
	if len(all) == 0 {
		return ill("clusters", "there is none, so no job can start", "ask an administrator to make one; config/samples has an example")
	}
	var names, problems []string
	for _, cl := range all {
		names = append(names, cl.Name)
		if ready, why := readiness(cl.Status.Conditions); ready != string(metav1.ConditionTrue) {
			problems = append(problems, strings.TrimSuffix(cl.Name+" is not ready: "+why, ": "))
		}
	}
	if len(problems) > 0 {
		return ill("clusters", strings.Join(problems, "; "), "jobs wait for a cluster until it is ready; ask an administrator")
	}
	return well("clusters", "%s ready", strings.Join(names, ", "))
}

package matrix

import (
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	historyv1 "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/workload"
	"github.com/soma-platform/soma/test/integration/harness"
)

// The names of what there is. No other word that anybody is answered contains one of them.
const (
	vision, robots = "vision", "robots"
	// The quotas of the projects, and the one cluster.
	research, robotics = "research", "robotics"
	home               = "local"
	sharedJob          = "onyx"
	otherJob           = "beta"
	robotsJob          = "gamma"
	pastJob            = "past"
	spare              = "spare"
	// missing is the name of what there is not.
	missing = "missing"
)

// target is something that a request can name.
type target struct {
	namespace, name string
	where           place
}

var (
	pastRecord = historyv1.RecordName(pastJob, types.UID(pastUID.String()))
	// inProjects are the targets of kinds of which there is one of the name in each project.
	inProjects = func(name string) []target {
		return []target{
			{vision, name, own}, {vision, missing, own}, {robots, name, other}, {robots, missing, other}, {"none", missing, nowhere},
		}
	}
	ofJobs = append(inProjects(otherJob)[:2:2], target{vision, sharedJob, one}, target{robots, robotsJob, other}, target{robots, missing, other},
		target{"none", missing, nowhere})
	// places are the targets of the kinds that Soma's rights are about. Those of pods are named by their jobs.
	places = map[string][]target{
		"jobs.platform.soma.dev":      append(ofJobs[:len(ofJobs):len(ofJobs)], target{"kube-system", missing, nowhere}),
		"pods":                        ofJobs,
		"jobrecords.history.soma.dev": inProjects(pastRecord),
		"secrets":                     inProjects(spare),
		"events":                      inProjects(spare),
		"events.events.k8s.io":        inProjects(spare),
		"grants.platform.soma.dev":    inProjects(spare),
		"projects.platform.soma.dev":  {{"", vision, own}, {"", robots, other}, {"", missing, nowhere}},
		"quotas.platform.soma.dev":    {{"", research, own}, {"", robotics, other}, {"", missing, nowhere}},
		"clusters.platform.soma.dev":  {{"", home, own}, {"", missing, nowhere}},
		"roles.platform.soma.dev":     {{"", "everyone", own}, {"", "cluster-reader", other}, {"", missing, nowhere}},
		"users.platform.soma.dev":     {{"", bot, own}, {"", string(stranger), other}, {"", missing, nowhere}},
	}
	// podOf is the name of a job's pod.
	podOf = map[string]string{missing: missing}
)

// targetsOf are those of a kind. Of a kind that no right of Soma's is about there are what is there, and what is not.
func targetsOf(k kind, sample *unstructured.Unstructured) []target {
	if known := slices.Clone(places[k.parent()]); known != nil {
		for i := range known {
			if k.resource == "pods" {
				known[i].name = podOf[known[i].name]
			}
		}
		return known
	}
	namespace := ""
	if k.namespaced {
		namespace = vision
	}
	isNot := target{namespace, missing, own}
	if sample == nil {
		return []target{isNot}
	}
	is := target{namespace, sample.GetName(), own}
	if k.sub != "" {
		return []target{is}
	}
	return []target{is, isNot}
}

// placeOf is where an object of a kind lies.
func placeOf(k kind, namespace, name string) place {
	switch {
	case k.resource == "users" && (name == string(program) || name == bot):
		return own
	case k.resource == "roles" && !k.namespaced && (name == "everyone" || strings.HasPrefix(name, "project-") || strings.HasPrefix(name, "organization-")):
		return own
	case slices.Contains([]string{"users", "roles"}, k.resource) && !k.namespaced:
		return other
	}
	if namespace == "" {
		namespace = map[string]string{research: vision, robotics: robots, home: vision, vision: vision, robots: robots}[name]
	}
	switch {
	case namespace == robots:
		return other
	case namespace != vision:
		return nowhere
	case k.resource == "jobs" && name == sharedJob || k.resource == "pods" && name == podOf[sharedJob]:
		return one
	}
	return own
}

// mark is in all objects of a project, and in nothing else.
func mark(project string) string { return "mark-of-" + project }

func marked(project, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: project, Name: name, Annotations: map[string]string{"example.com/mark": mark(project)}}
}

// makeWorld makes two projects with what people work with, and an object of every other kind.
func makeWorld(kinds []kind, s samples) {
	GinkgoHelper()
	create := func(objects ...client.Object) {
		for _, object := range objects {
			Expect(harness.K8s.Create(harness.Ctx, object)).To(Succeed(), "%T %s", object, object.GetName())
		}
	}
	create(&v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: home}})
	for project, quota := range map[string]string{vision: research, robots: robotics} {
		meta := marked(project, quota)
		meta.Namespace = ""
		create(&v1alpha1.Quota{ObjectMeta: meta})
		meta = marked(project, project)
		meta.Namespace = ""
		p := &v1alpha1.Project{ObjectMeta: meta, Spec: v1alpha1.ProjectSpec{Quota: quota}}
		create(p)
		harness.Reaches(p, func(g Gomega, p *v1alpha1.Project) {
			harness.ExpectCondition(g, p, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
		})
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: "default"}}
		harness.Reaches(account, func(Gomega, *corev1.ServiceAccount) {})
	}
	makePeople()
	for job, project := range map[string]string{sharedJob: vision, otherJob: vision, robotsJob: robots} {
		makeJob(project, job)
	}
	for _, project := range []string{vision, robots} {
		create(
			&corev1.Event{ObjectMeta: marked(project, spare), InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: project, Name: spare}, Reason: "Spare"},
			&corev1.Secret{ObjectMeta: marked(project, spare), StringData: map[string]string{"password": mark(project)}},
			&v1alpha1.Grant{ObjectMeta: marked(project, spare), Spec: v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: bot}, Role: "project-reader"}},
		)
	}
	makeGrants()
	var wrong []string
	for _, k := range kinds {
		if sample := s.objects[k.parent()]; sample != nil && k.sub == "" && places[k.String()] == nil {
			if k.namespaced {
				sample.SetNamespace(vision)
			}
			if err := harness.K8s.Create(harness.Ctx, sample.DeepCopy()); err != nil {
				wrong = append(wrong, fmt.Sprintf("%s: %v", k, err))
			}
		}
	}
	Expect(wrong).To(BeEmpty(), "objects of testdata/samples.yaml cannot be made:\n%s", strings.Join(wrong, "\n"))
}

// makeJob makes a job that has a pod.
func makeJob(project, name string) {
	GinkgoHelper()
	job := &v1alpha1.Job{ObjectMeta: marked(project, name), Spec: v1alpha1.JobSpec{Image: "busybox"}}
	Expect(harness.K8s.Create(harness.Ctx, job)).To(Succeed())
	before := job.DeepCopy()
	job.Status.Attempt = 1
	Expect(harness.K8s.Status().Patch(harness.Ctx, job, client.MergeFrom(before))).To(Succeed())
	pod := &corev1.Pod{ObjectMeta: marked(project, workload.PodName(job, 1, 0)), Spec: corev1.PodSpec{
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{Name: "main", Image: "busybox", SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}}},
	}}
	pod.Labels = map[string]string{v1alpha1.LabelJob: name}
	podOf[name] = pod.Name
	Expect(harness.K8s.Create(harness.Ctx, pod)).To(Succeed())
}

// settled waits until what was granted counts at the API server, for everybody.
func settled() {
	GinkgoHelper()
	for _, list := range []client.ObjectList{&v1alpha1.GrantList{}, &v1alpha1.UserList{}} {
		Eventually(func(g Gomega) {
			g.Expect(harness.K8s.List(harness.Ctx, list)).To(Succeed())
			for _, object := range objectsOf(g, list) {
				if object.GetName() != string(disabled) {
					harness.ExpectCondition(g, object, v1alpha1.ConditionReady, "True", v1alpha1.ReasonAvailable)
				}
			}
		}).Should(Succeed())
	}
	// The API server learns of what is written a moment later, and of roles and bindings one by one: these are from each of them.
	somas := func(verb, resource, namespace, name string) authorizationv1.ResourceAttributes {
		return authorizationv1.ResourceAttributes{Verb: verb, Group: v1alpha1.GroupName, Resource: resource, Namespace: namespace, Name: name}
	}
	Eventually(func(g Gomega) {
		for who, last := range map[person][]authorizationv1.ResourceAttributes{
			admin:    {somas("create", "roles", "", ""), somas("list", "jobs", "", ""), somas("create", "jobs", robots, "")},
			owner:    {somas("create", "jobs", vision, ""), somas("delete", "projects", "", vision), somas("get", "quotas", "", research), somas("delete", "users", "", bot)},
			writer:   {somas("create", "jobs", vision, ""), somas("get", "projects", "", vision)},
			reader:   {somas("list", "jobs", vision, ""), somas("get", "projects", "", vision)},
			stranger: {somas("create", "jobs", robots, ""), somas("delete", "projects", "", robots), somas("get", "roles", "", "everyone")},
			grantee: {
				somas("delete", "jobs", vision, sharedJob), somas("get", "projects", "", vision),
				{Verb: "create", Resource: "pods", Subresource: "exec", Namespace: vision, Name: podOf[sharedJob]},
			},
		} {
			for _, what := range last {
				g.Expect(mayDo(g, "soma:"+string(who), []string{"soma:users"}, what)).To(BeTrue(), "%s %+v", who, what)
			}
		}
	}).Should(Succeed())
}

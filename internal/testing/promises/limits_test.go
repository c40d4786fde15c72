package promises

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// quota tells of a quota of much of everything but what is set.
func (s *story) quota(name, parent string, set func(*v1alpha1.QuotaSpec)) *story {
	much := resource.MustParse("1Pi")
	q := &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.QuotaSpec{Parent: parent}}
	q.Spec.Nominal.CPU, q.Spec.Nominal.Memory = &much, &much
	set(&q.Spec)
	return s.add(Event{Quota: q})
}

// hold tells of a job of a user that is given so many GPUs of a model, on each of two nodes.
func (s *story) hold(user, quota string, gpus int32, model string) *story {
	job := &v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Name: "of-" + user, UID: types.UID(user + quota + model)}}
	job.Spec.SubmittedBy, job.Spec.Replicas = user, new(int32(2))
	job.Status.Attempt, job.Status.Phase = 1, v1alpha1.JobPending
	job.Status.Reservation = &v1alpha1.Reservation{
		Attempt: 1, Time: metav1.NowMicro(), Quota: quota, Nodes: []v1alpha1.NodeShare{{Node: "m", Replicas: 1}, {Node: "n", Replicas: 1}},
		Replica: v1alpha1.ReplicaResources{CPU: resource.MustParse("1"), Memory: resource.MustParse("1Gi"), GPUs: gpus, GPUModel: model},
	}
	job.Status.Journal.Append(v1alpha1.Transition{Phase: string(v1alpha1.JobPending)})
	return s.add(Event{Job: job})
}

func ofModels(a, b int32) []v1alpha1.GPUModelAmount {
	return []v1alpha1.GPUModelAmount{{Model: "A100", Count: a}, {Model: "H100", Count: b}}
}

func TestLimits(t *testing.T) {
	gpus := func(n int32) func(*v1alpha1.QuotaSpec) { return func(q *v1alpha1.QuotaSpec) { q.Nominal.GPUs = &n } }
	models := func(a, b int32) func(*v1alpha1.QuotaSpec) {
		return func(q *v1alpha1.QuotaSpec) { q.Nominal.GPUModels = ofModels(a, b) }
	}
	both := func(n, a, b int32) func(*v1alpha1.QuotaSpec) {
		return func(q *v1alpha1.QuotaSpec) { q.Nominal.GPUs, q.Nominal.GPUModels = &n, ofModels(a, b) }
	}
	perUser := func(amounts v1alpha1.ResourceAmounts) func(*v1alpha1.QuotaSpec) {
		return func(q *v1alpha1.QuotaSpec) { q.Nominal.GPUs, q.PerUser = new(int32(100)), &amounts }
	}
	borrowing := func(a int32) func(*v1alpha1.QuotaSpec) {
		return func(q *v1alpha1.QuotaSpec) {
			q.Nominal.GPUs, q.Borrowing = new(int32(0)), &v1alpha1.ResourceAmounts{GPUModels: ofModels(a, 0)}
		}
	}
	lending := func(q *v1alpha1.QuotaSpec) {
		q.Nominal.GPUModels, q.Lending = ofModels(4, 4), &v1alpha1.ResourceAmounts{GPUModels: ofModels(1, 4)}
	}
	running := func(n int32) func(*v1alpha1.QuotaSpec) {
		return func(q *v1alpha1.QuotaSpec) { q.Nominal.GPUs, q.Nominal.RunningJobs = new(int32(100)), &n }
	}
	tests := map[string]struct {
		story *story
		want  string
	}{
		"all that there is":                {story: tell().quota("q", "", gpus(4)).hold("carol", "q", 2, "A100")},
		"a GPU more":                       {story: tell().quota("q", "", gpus(3)).hold("carol", "q", 2, "A100"), want: "4 of GPUs are held of 3"},
		"all of a model":                   {story: tell().quota("q", "", models(4, 2)).hold("carol", "q", 2, "A100").hold("dave", "q", 1, "H100")},
		"more of a model":                  {story: tell().quota("q", "", models(2, 4)).hold("carol", "q", 2, "A100"), want: "4 of GPUs A100 are held of 2"},
		"a model that is not listed":       {story: tell().quota("q", "", models(2, 4)).hold("carol", "q", 1, "B200"), want: "2 of GPUs B200 are held of 0"},
		"one that is not listed beside":    {story: tell().quota("q", "", both(2, 0, 0)).hold("carol", "q", 1, "B200")},
		"models within what there is":      {story: tell().quota("q", "", both(4, 4, 4)).hold("carol", "q", 2, "A100").hold("dave", "q", 1, "H100"), want: "6 of GPUs are held of 4"},
		"a model that the root grants":     {story: tell().quota("r", "", models(4, 0)).quota("q", "r", gpus(0)).hold("carol", "q", 2, "A100")},
		"one that it does not":             {story: tell().quota("r", "", models(4, 0)).quota("q", "r", gpus(4)).hold("carol", "q", 1, "H100"), want: "quota r: 2 of GPUs H100 are held of 0"},
		"a model that others lend":         {story: tell().quota("r", "", gpus(0)).quota("p", "r", models(4, 0)).quota("q", "r", borrowing(4)).hold("carol", "q", 2, "A100")},
		"more of it than may be borrowed":  {story: tell().quota("r", "", gpus(0)).quota("p", "r", models(4, 0)).quota("q", "r", borrowing(3)).hold("carol", "q", 2, "A100"), want: "quota q: 4 of GPUs A100 are held of 3"},
		"more of it than is lent":          {story: tell().quota("r", "", models(0, 0)).quota("p", "r", lending).quota("q", "r", gpus(0)).hold("carol", "q", 1, "A100"), want: "does not lend: others hold 2 of 4 of GPUs A100"},
		"what is lent":                     {story: tell().quota("r", "", models(0, 0)).quota("p", "r", lending).quota("q", "r", gpus(0)).hold("carol", "q", 1, "H100")},
		"as many as a user may":            {story: tell().quota("q", "", perUser(v1alpha1.ResourceAmounts{GPUs: new(int32(4))})).hold("carol", "q", 2, "A100").hold("dave", "q", 2, "A100")},
		"more than a user may":             {story: tell().quota("q", "", perUser(v1alpha1.ResourceAmounts{GPUs: new(int32(5))})).hold("carol", "q", 2, "A100").hold("carol", "q", 1, "H100"), want: "carol holds 6 of GPUs, of 5"},
		"more cores than a user may":       {story: tell().quota("q", "", perUser(*cores("1500m"))).hold("carol", "q", 0, ""), want: "carol holds 2000 of millicores, of 1500"},
		"more of a model than a user may":  {story: tell().quota("q", "", perUser(v1alpha1.ResourceAmounts{GPUModels: ofModels(2, 8)})).hold("carol", "q", 2, "H100").hold("carol", "q", 2, "A100"), want: "carol holds 4 of GPUs A100, of 2"},
		"more jobs than a user may":        {story: tell().quota("q", "", perUser(v1alpha1.ResourceAmounts{RunningJobs: new(int32(1))})).hold("carol", "q", 0, "").hold("dave", "q", 0, "").hold("carol", "q", 1, "A100"), want: "carol holds 2 of jobs, of 1"},
		"more than a user may further up":  {story: tell().quota("r", "", perUser(v1alpha1.ResourceAmounts{GPUs: new(int32(5))})).quota("p", "r", gpus(8)).quota("q", "r", gpus(8)).hold("carol", "p", 2, "A100").hold("carol", "q", 1, "A100"), want: "user may hold of quota r: carol holds 6"},
		"as many jobs as may run":          {story: tell().quota("q", "", running(2)).hold("carol", "q", 0, "").hold("dave", "q", 1, "A100")},
		"more jobs than may run":           {story: tell().quota("q", "", running(1)).hold("carol", "q", 0, "").hold("dave", "q", 1, "A100"), want: "2 of jobs are held of 1"},
		"more jobs than may run in all":    {story: tell().quota("r", "", running(1)).quota("p", "r", gpus(1)).quota("q", "r", gpus(1)).hold("carol", "p", 0, "").hold("dave", "q", 0, ""), want: "quota r: 2 of jobs"},
		"what was too much before it came": {story: tell().quota("q", "", gpus(4)).hold("carol", "q", 2, "A100").quota("q", "", gpus(0)).hold("dave", "q", 0, "")},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			expects(t, tc.story, tc.want)
		})
	}
}

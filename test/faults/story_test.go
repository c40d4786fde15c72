package faults

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/kubelet"
)

// The projects of the history; each has a quota of its name.
const (
	lab    = "lab"    // on its own
	guest  = "guest"  // borrows what owner does not use
	owner  = "owner"  // takes it back
	shared = "shared" // the quota above the two
	poor   = "poor"   // has a budget that a job uses up
)

// story is what people do, once: everything that a job can go through, some of it at the same time.
type story struct {
	*world
	quotas, projects []client.Object
	cluster          client.Object
	// jobs by name.
	jobs map[string]*v1alpha1.Job
}

func (w *world) newStory() *story {
	quota := func(name, parent, cpu string, set func(*v1alpha1.QuotaSpec)) client.Object {
		cores, bytes := resource.MustParse(cpu), resource.MustParse("64Gi")
		q := &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.QuotaSpec{
			Parent: parent, Nominal: v1alpha1.ResourceAmounts{CPU: &cores, Memory: &bytes},
		}}
		if set != nil {
			set(&q.Spec)
		}
		return q
	}
	project := func(name string) client.Object {
		return &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ProjectSpec{Quota: name}}
	}
	s := &story{world: w, jobs: map[string]*v1alpha1.Job{}}
	// What has a price is settled by quotas before it goes.
	s.cluster = &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "local"}, Spec: v1alpha1.ClusterSpec{
		Prices: &v1alpha1.Prices{Currency: "EUR", CPUHour: "1"},
	}}
	s.quotas = []client.Object{
		quota(shared, "", "0", nil), quota(guest, shared, "2", nil),
		quota(owner, shared, "2", func(q *v1alpha1.QuotaSpec) { q.Preemption = &v1alpha1.Preemption{Reclaim: v1alpha1.VictimsPreemptible} }),
		quota(lab, "", "16", func(q *v1alpha1.QuotaSpec) {
			q.Nominal.GPUModels = []v1alpha1.GPUModelAmount{{Model: gpuModel, Count: 1}}
			q.PerUser = &v1alpha1.ResourceAmounts{CPU: ptr.To(resource.MustParse("4"))}
		}),
	}
	s.quotas = append(s.quotas, quota(poor, "", "4", func(q *v1alpha1.QuotaSpec) {
		money := &v1alpha1.Money{Amount: "0.0005", Currency: "EUR"} // not two seconds of a core
		q.Budgets = []v1alpha1.Budget{{Name: "month", Period: v1alpha1.BudgetMonth, Money: money, Action: v1alpha1.BudgetSuspend}}
	}))
	s.projects = []client.Object{project(lab), project(guest), project(owner), project(poor)}
	return s
}

// job is a new job, not yet submitted, whose container does what the command says. It is as admission would have made it,
// which does not run here: a manager that is killed serves none, and people would have to try again.
func (s *story) job(project, name string, command []string, set func(*v1alpha1.JobSpec)) *v1alpha1.Job {
	about := metav1.ObjectMeta{Namespace: project, Name: name, Finalizers: []string{v1alpha1.FinalizerHistory}}
	job := &v1alpha1.Job{ObjectMeta: about, Spec: v1alpha1.JobSpec{
		Image: "busybox", Command: command,
		Resources: &v1alpha1.JobResources{CPU: ptr.To(resource.MustParse("1")), Memory: ptr.To(resource.MustParse("1Gi"))},
	}}
	if set != nil {
		set(&job.Spec)
	}
	return job
}

// tell lives through all of it, until nothing is left. When everything stands still, settled is called.
func (s *story) tell(ctx context.Context, settled func(ctx context.Context) error) error {
	for _, o := range append(append([]client.Object{s.cluster}, s.quotas...), s.projects...) {
		if err := s.Create(ctx, o); err != nil {
			return err
		}
	}
	for _, p := range s.projects {
		if err := s.ready(ctx, p); err != nil {
			return err
		}
	}
	if err := s.everybodyBound(ctx); err != nil {
		return err
	}
	lives := []func(context.Context) error{s.plain, s.retried, s.gang, s.cancelled, s.suspended, s.passing, s.displaced, s.bounded, s.costly}
	if err := together(ctx, lives); err != nil {
		return err
	}
	if err := settled(ctx); err != nil {
		return err
	}
	// The guest's job still runs, and ends with its project.
	return s.removeAll(ctx)
}

// ready waits until a project is.
func (s *story) ready(ctx context.Context, o client.Object) error {
	return until(ctx, "project "+o.GetName()+" is ready", func(ctx context.Context) error {
		project := &v1alpha1.Project{}
		if err := s.Get(ctx, client.ObjectKeyFromObject(o), project); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(project.Status.Conditions, v1alpha1.ConditionReady) {
			return fmt.Errorf("it has the conditions %v", project.Status.Conditions)
		}
		return nil
	})
}

// everybodyBound waits until everybody has what everybody may do, though nothing ever happens that leads there but that a manager begins.
func (s *story) everybodyBound(ctx context.Context) error {
	return until(ctx, "everybody is bound", func(ctx context.Context) error {
		return s.Get(ctx, client.ObjectKey{Name: "soma:everyone"}, &rbacv1.ClusterRoleBinding{})
	})
}

// removeAll removes everything and waits until it is gone.
func (s *story) removeAll(ctx context.Context) error {
	for _, objects := range [][]client.Object{s.projects, s.quotas, {s.cluster}} {
		for _, o := range objects {
			if err := client.IgnoreNotFound(s.Delete(ctx, o)); err != nil {
				return err
			}
		}
		for _, o := range objects {
			if err := s.gone(ctx, o); err != nil {
				return err
			}
		}
	}
	return until(ctx, "nothing is left", func(ctx context.Context) error {
		var left []string
		for _, list := range []client.ObjectList{&v1alpha1.JobList{}, &corev1.PodList{}} {
			if err := s.List(ctx, list); err != nil {
				return err
			}
			_ = meta.EachListItem(list, func(o runtime.Object) error {
				object, err := meta.Accessor(o)
				left = append(left, fmt.Sprintf("%T %s/%s", o, object.GetNamespace(), object.GetName()))
				return err
			})
		}
		if len(left) > 0 {
			return fmt.Errorf("there are still %s", strings.Join(left, ", "))
		}
		return nil
	})
}

func together(ctx context.Context, lives []func(context.Context) error) error {
	all, ctx := errgroup.WithContext(ctx)
	for _, live := range lives {
		all.Go(func() error { return live(ctx) })
	}
	return all.Wait()
}

// plain ends well.
func (s *story) plain(ctx context.Context) error {
	job := s.job(lab, "plain", kubelet.Exit(0), nil)
	return s.steps(ctx, job, s.submit, s.reaches(v1alpha1.JobSucceeded, 1))
}

// retried fails, and ends well when it is tried again.
func (s *story) retried(ctx context.Context) error {
	job := s.job(lab, "retried", kubelet.Exit(3, 0), func(j *v1alpha1.JobSpec) {
		j.Restart = &v1alpha1.Restart{Policy: v1alpha1.RestartOnFailure, MaxRetries: ptr.To(int32(1))}
	})
	return s.steps(ctx, job, s.submit, s.reaches(v1alpha1.JobSucceeded, 2))
}

// gang is three that start together.
func (s *story) gang(ctx context.Context) error {
	job := s.job(lab, "gang", kubelet.Exit(0), func(j *v1alpha1.JobSpec) { j.Replicas = ptr.To(int32(3)) })
	return s.steps(ctx, job, s.submit, s.reaches(v1alpha1.JobSucceeded, 1))
}

// cancelled runs until a person cancels it.
func (s *story) cancelled(ctx context.Context) error {
	job := s.job(lab, "cancelled", kubelet.RunUntilEnded(), nil)
	return s.steps(ctx, job, s.submit, s.reaches(v1alpha1.JobRunning, 1), s.cancel, s.reaches(v1alpha1.JobCancelled, 1))
}

// suspended is suspended, goes on, and is cancelled.
func (s *story) suspended(ctx context.Context) error {
	job := s.job(lab, "suspended", kubelet.RunUntilEnded(), nil)
	suspend := func(on bool) step { return s.change(func(j *v1alpha1.Job) { j.Spec.Suspend = &on }) }
	return s.steps(ctx, job, s.submit, s.reaches(v1alpha1.JobRunning, 1), suspend(true), s.reaches(v1alpha1.JobSuspended, 1),
		suspend(false), s.reaches(v1alpha1.JobRunning, 2), s.cancel, s.reaches(v1alpha1.JobCancelled, 2))
}

// passing removes itself after its end.
func (s *story) passing(ctx context.Context) error {
	job := s.job(lab, "passing", kubelet.Exit(0), func(j *v1alpha1.JobSpec) { j.TTLSecondsAfterFinished = ptr.To(int32(0)) })
	return s.steps(ctx, job, s.submit, func(ctx context.Context, job *v1alpha1.Job) error { return s.gone(ctx, job) })
}

// displaced runs on what it borrowed, gives way to a job of the owner, and goes on when that has ended.
func (s *story) displaced(ctx context.Context) error {
	borrower := s.job(guest, "borrower", kubelet.RunUntilEnded(), func(j *v1alpha1.JobSpec) {
		j.Resources.CPU, j.Preemptible = ptr.To(resource.MustParse("3")), ptr.To(true)
	})
	if err := s.steps(ctx, borrower, s.submit, s.reaches(v1alpha1.JobRunning, 1)); err != nil {
		return err
	}
	claims := s.job(owner, "claims", kubelet.Exit(0), func(j *v1alpha1.JobSpec) { j.Resources.CPU = ptr.To(resource.MustParse("2")) })
	if err := s.steps(ctx, claims, s.submit, s.reaches(v1alpha1.JobSucceeded, 1)); err != nil {
		return err
	}
	return s.reaches(v1alpha1.JobRunning, 2)(ctx, borrower)
}

// bounded waits for what its user may hold, and another for a GPU of a model, until the job ends that has both.
func (s *story) bounded(ctx context.Context) error {
	of := func(user, cpu string, gpus int32) func(*v1alpha1.JobSpec) {
		return func(j *v1alpha1.JobSpec) {
			j.SubmittedBy, j.Resources.CPU = user, ptr.To(resource.MustParse(cpu))
			if gpus > 0 {
				j.Resources.GPU = &v1alpha1.GPUs{Count: gpus}
			}
		}
	}
	holder := s.job(lab, "holder", kubelet.RunUntilEnded(), of("carol", "1", 1))
	if err := s.steps(ctx, holder, s.submit, s.reaches(v1alpha1.JobRunning, 1)); err != nil {
		return err
	}
	same := s.job(lab, "same-user", kubelet.Exit(0), of("carol", "4", 0))
	model := s.job(lab, "same-model", kubelet.Exit(0), of("dave", "1", 1))
	if err := errors.Join(s.submit(ctx, same), s.submit(ctx, model), s.cancel(ctx, holder)); err != nil {
		return err
	}
	for _, job := range []*v1alpha1.Job{same, model} {
		if err := s.steps(ctx, job, s.reaches(v1alpha1.JobSucceeded, 1)); err != nil {
			return err
		}
	}
	return s.reaches(v1alpha1.JobCancelled, 1)(ctx, holder)
}

// costly uses up a budget, waits until that is raised, goes on, and is cancelled: then the budget tells just what it cost.
func (s *story) costly(ctx context.Context) error {
	broke := func(ctx context.Context, job *v1alpha1.Job) error {
		return until(ctx, "its budget is used up", func(ctx context.Context) error {
			if err := s.is(ctx, job, v1alpha1.JobPending, 1); err != nil {
				return err
			}
			if is := job.Status; is.Reason != v1alpha1.JobReasonBudgetExhausted || is.Reservation != nil {
				return fmt.Errorf("it waits for %s: %s", is.Reason, is.Message)
			}
			return nil
		})
	}
	raise := func(ctx context.Context, _ *v1alpha1.Job) error {
		quota := &v1alpha1.Quota{}
		if err := s.Get(ctx, client.ObjectKey{Name: poor}, quota); err != nil {
			return err
		}
		before := quota.DeepCopy()
		quota.Spec.Budgets[0].Money.Amount = "1000"
		return s.Patch(ctx, quota, client.MergeFrom(before))
	}
	settled := func(ctx context.Context, job *v1alpha1.Job) error {
		return until(ctx, "its budget tells just what it cost", func(ctx context.Context) error {
			quota := &v1alpha1.Quota{}
			if err := s.Get(ctx, client.ObjectKey{Name: poor}, quota); err != nil {
				return err
			}
			is, cost := quota.Status.Budgets, job.Status.Cost
			if len(is) != 1 || cost == nil {
				return fmt.Errorf("it cost %v, and the budgets are %v", cost, is)
			}
			used, err := strconv.ParseFloat(string(is[0].Used), 64)
			paid, other := strconv.ParseFloat(string(cost.Amount), 64)
			if second := 1.0 / 3600; err != nil || other != nil || math.Abs(used-paid) > second/100 { // each attempt's cost is rounded
				return fmt.Errorf("it cost %s, and the budget tells of %s", cost.Amount, is[0].Used)
			}
			return nil
		})
	}
	job := s.job(poor, "costly", kubelet.RunUntilEnded(), nil)
	return s.steps(ctx, job, s.submit, broke, raise, s.reaches(v1alpha1.JobRunning, 2), s.cancel, s.reaches(v1alpha1.JobCancelled, 2), settled)
}

// step is what a person does to a job, or waits for.
type step func(ctx context.Context, job *v1alpha1.Job) error

func (s *story) steps(ctx context.Context, job *v1alpha1.Job, steps ...step) error {
	for _, step := range steps {
		if err := step(ctx, job); err != nil {
			return fmt.Errorf("job %s: %w", job.Name, err)
		}
	}
	return nil
}

func (s *story) submit(ctx context.Context, job *v1alpha1.Job) error { return s.Create(ctx, job) }

func (s *story) reaches(phase v1alpha1.JobPhase, attempt int32) step {
	return func(ctx context.Context, job *v1alpha1.Job) error {
		return until(ctx, fmt.Sprintf("it is %s in attempt %d", phase, attempt), func(ctx context.Context) error {
			return s.is(ctx, job, phase, attempt)
		})
	}
}

// is fails where a job is in another phase or attempt.
func (s *story) is(ctx context.Context, job *v1alpha1.Job, phase v1alpha1.JobPhase, attempt int32) error {
	if err := s.Get(ctx, client.ObjectKeyFromObject(job), job); err != nil {
		return err
	}
	if is := job.Status; is.Phase != phase || is.Attempt != attempt {
		ended := ""
		for _, a := range is.Attempts {
			ended += fmt.Sprintf(" %d:%s", a.Number, a.Reason)
		}
		return fmt.Errorf("job %s is %s/%s in attempt %d (%s), and ended%s", job.Name, is.Phase, is.Reason, is.Attempt, is.Message, ended)
	}
	return nil
}

func (s *story) change(set func(*v1alpha1.Job)) step {
	return func(ctx context.Context, job *v1alpha1.Job) error {
		if err := s.Get(ctx, client.ObjectKeyFromObject(job), job); err != nil {
			return err
		}
		before := job.DeepCopy()
		set(job)
		return s.Patch(ctx, job, client.MergeFrom(before))
	}
}

func (s *story) cancel(ctx context.Context, job *v1alpha1.Job) error {
	return s.change(func(j *v1alpha1.Job) { j.Spec.Cancel = ptr.To(true) })(ctx, job)
}

func (s *story) gone(ctx context.Context, o client.Object) error {
	return until(ctx, fmt.Sprintf("%T %s is gone", o, o.GetName()), func(ctx context.Context) error {
		err := s.Get(ctx, client.ObjectKeyFromObject(o), o)
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return err
		}
		return fmt.Errorf("it is there, with the finalizers %s", slices.Sorted(slices.Values(o.GetFinalizers())))
	})
}

package quota

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/accounting"
)

// shown is how many attempts the jobs of a story show.
const shown = 2

// currencies are those that the cluster of a story has, one after another and back.
var currencies = []string{"EUR", "USD"}

// story is a cluster in which jobs come, run and go, told one revision after another. What processes see of it may be old.
type story struct {
	now time.Time
	// past are all revisions so far; the last is what is.
	past []revision
	// ran is all that ever ran: what must have been summed up.
	ran  []*interval
	made int

	// The process that settles: what it has seen of jobs and of quotas, and what it remembers.
	seenJobs, seenQuotas int
	noticed              noticed
}

type revision struct {
	jobs   []v1alpha1.Job
	quotas []v1alpha1.Quota
}

// interval is a time through which a job ran; it runs still where to is zero.
type interval struct {
	job      types.UID
	quota    string
	gpus     int64
	price    int64 // an hour, in millionths
	currency string
	from, to time.Time
}

func newStory() *story {
	quotas := []v1alpha1.Quota{{}, {}, {}}
	for i, names := range [][2]string{{"root", ""}, {"team", "root"}, {"person", "team"}} {
		quotas[i].Name, quotas[i].Spec.Parent, quotas[i].UID, quotas[i].ResourceVersion = names[0], names[1], types.UID(names[0]), "1"
	}
	return &story{now: time.Date(2026, 11, 3, 22, 0, 0, 0, time.UTC), past: []revision{{}, {quotas: quotas}}, seenJobs: 1, seenQuotas: 1, noticed: noticed{}}
}

func (s *story) newest() int { return len(s.past) - 1 }

// write makes another revision, in which the change may replace jobs and quotas but not touch those that were.
func (s *story) write(change func(r *revision, version string)) {
	last := s.past[s.newest()]
	next := revision{jobs: slices.Clone(last.jobs), quotas: slices.Clone(last.quotas)}
	change(&next, fmt.Sprint(s.newest()+1))
	s.past = append(s.past, next)
}

// pick draws a job that is such; nil where there is none.
func (s *story) pick(t *rapid.T, such func(*v1alpha1.Job) bool) *v1alpha1.Job {
	var all []*v1alpha1.Job
	jobs := s.past[s.newest()].jobs
	for i := range jobs {
		if such(&jobs[i]) {
			all = append(all, jobs[i].DeepCopy())
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[rapid.IntRange(0, len(all)-1).Draw(t, "job")]
}

func (s *story) put(job *v1alpha1.Job) {
	s.write(func(r *revision, _ string) {
		for i := range r.jobs {
			if r.jobs[i].UID == job.UID {
				r.jobs[i] = *job
				return
			}
		}
		r.jobs = append(r.jobs, *job)
	})
}

func (s *story) quota(name string) *v1alpha1.Quota {
	for _, q := range s.past[s.newest()].quotas {
		if q.Name == name {
			return q.DeepCopy()
		}
	}
	return nil
}

func (s *story) pass(t *rapid.T) {
	s.now = s.now.Add(time.Duration(rapid.IntRange(0, 20000).Draw(t, "seconds")) * time.Second)
}

func (s *story) submit(*rapid.T) {
	s.made++
	job := &v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{UID: types.UID(fmt.Sprint("job-", s.made))}}
	s.put(job)
}

func (s *story) start(t *rapid.T) {
	job := s.pick(t, func(j *v1alpha1.Job) bool { return j.Status.Reservation == nil && !j.Status.Phase.Finished() })
	var names []string
	for _, name := range []string{"root", "team", "person"} {
		if q := s.quota(name); q != nil && q.DeletionTimestamp == nil {
			names = append(names, name)
		}
	}
	if job == nil {
		return
	}
	ran := &interval{
		job: job.UID, quota: rapid.SampledFrom(names).Draw(t, "quota"), from: s.now,
		gpus: int64(rapid.IntRange(0, 3).Draw(t, "gpus")), price: int64(rapid.IntRange(0, 2).Draw(t, "price")) * 1_234_567,
		currency: rapid.SampledFrom(currencies).Draw(t, "currency"),
	}
	s.ran = append(s.ran, ran)
	job.Status.Reservation = &v1alpha1.Reservation{
		Quota: ran.quota, StartTime: &metav1.Time{Time: s.now}, Nodes: []v1alpha1.NodeShare{{Replicas: 1}}, Replica: v1alpha1.ReplicaResources{GPUs: int32(ran.gpus)},
	}
	if ran.price > 0 {
		job.Status.Reservation.PricePerHour = v1alpha1.Price(big.NewRat(ran.price, 1_000_000).FloatString(6))
		job.Status.Reservation.Currency = ran.currency
	}
	s.put(job)
}

// end closes an attempt as the controller of jobs does.
func (s *story) end(t *rapid.T) {
	job := s.pick(t, func(j *v1alpha1.Job) bool { return j.Status.Reservation != nil })
	if job == nil {
		return
	}
	held := job.Status.Reservation
	for _, ran := range s.ran {
		if ran.job == job.UID && ran.to.IsZero() {
			ran.to = s.now
			if !ran.to.After(ran.from) {
				ran.to = ran.from.Add(time.Second)
			}
		}
	}
	status := &job.Status
	status.Attempts = append(status.Attempts, v1alpha1.Attempt{
		Quota: held.Quota, StartTime: held.StartTime, FinishTime: &metav1.Time{Time: s.now}, PricePerHour: held.PricePerHour, Currency: held.Currency,
		Replica: &held.Replica,
	})
	if len(status.Attempts) > shown {
		status.Earlier = accounting.Forget(status.Earlier, &status.Attempts[0], 1, s.now)
		status.Attempts = slices.Clone(status.Attempts[1:])
	}
	status.Reservation = nil
	if rapid.Bool().Draw(t, "finished") {
		status.Phase = v1alpha1.JobSucceeded
	}
	s.put(job)
}

func (s *story) remove(t *rapid.T) {
	if job := s.pick(t, func(j *v1alpha1.Job) bool { return j.DeletionTimestamp == nil && j.Status.Phase.Finished() }); job != nil {
		job.DeletionTimestamp = &metav1.Time{Time: s.now}
		s.put(job)
	}
}

// hurry has a job live its whole life at once.
func (s *story) hurry(t *rapid.T) {
	for _, step := range []func(*rapid.T){s.submit, s.start, s.pass, s.end, s.remove} {
		step(t)
	}
}

// removeQuota deletes a quota below others. It stays until nothing counts under it that is not settled.
func (s *story) removeQuota(t *rapid.T) {
	name := rapid.SampledFrom([]string{"team", "person"}).Draw(t, "quota")
	if quota := s.quota(name); quota != nil && quota.DeletionTimestamp == nil && (name != "team" || s.quota("person") == nil) {
		quota.DeletionTimestamp, quota.Finalizers = &metav1.Time{Time: s.now}, finalizers
		s.putQuota(quota)
	}
}

// drain has a quota go that was deleted.
func (s *story) drain(t *rapid.T) {
	name := rapid.SampledFrom([]string{"team", "person"}).Draw(t, "quota")
	quota := s.quota(name)
	if quota == nil || quota.DeletionTimestamp == nil {
		return
	}
	for _, job := range s.past[s.newest()].jobs {
		if !slices.Contains(quota.Status.Settling, job.UID) && slices.Contains(accounting.Quotas(&job), name) {
			return
		}
	}
	quota.Finalizers = []string{v1alpha1.FinalizerHistory}
	s.putQuota(quota)
}

func (s *story) putQuota(quota *v1alpha1.Quota) {
	s.write(func(r *revision, version string) {
		for i := range r.quotas {
			if r.quotas[i].Name == quota.Name {
				quota.ResourceVersion = version
				r.quotas[i] = *quota
			}
		}
	})
}

// see lets the process see more of what happened.
func (s *story) see(t *rapid.T) {
	s.seenJobs = rapid.IntRange(s.seenJobs, s.newest()).Draw(t, "jobs seen")
	s.seenQuotas = rapid.IntRange(s.seenQuotas, s.newest()).Draw(t, "quotas seen")
}

// restart has another process go on, which may begin with what was before.
func (s *story) restart(t *rapid.T) {
	oldest := 1
	if rapid.Bool().Draw(t, "of lately") {
		oldest = max(1, s.newest()-4)
	}
	s.seenJobs = rapid.IntRange(oldest, s.newest()).Draw(t, "jobs seen")
	s.seenQuotas = rapid.IntRange(oldest, s.newest()).Draw(t, "quotas seen")
	s.noticed = noticed{}
}

// settle settles a quota as its controller does: its write takes effect only onto the version that it was made from.
func (s *story) settle(t *rapid.T) {
	if rapid.Bool().Draw(t, "all was seen") {
		s.seenJobs, s.seenQuotas = s.newest(), s.newest()
	}
	name := rapid.SampledFrom([]string{"root", "team", "person"}).Draw(t, "quota")
	f := facts{
		jobs: refs(s.past[s.seenJobs].jobs...), quotas: s.past[s.seenQuotas].quotas,
		quotasSeen: fmt.Sprint(s.seenQuotas),
		// Between two looks at the version that was seen, more is.
		jobsSeen: fmt.Sprint(rapid.IntRange(max(1, s.seenJobs-2), s.seenJobs).Draw(t, "seen before")),
		jobsUpTo: fmt.Sprint(rapid.IntRange(s.seenJobs, min(s.seenJobs+2, s.newest())).Draw(t, "seen after")),
	}
	for i := range f.quotas {
		quota := f.quotas[i].DeepCopy()
		if quota.Name != name {
			continue
		}
		if old, err := f.old(quota); err != nil || old {
			return
		}
		version := quota.ResourceVersion
		if _, err := settle(quota, &f, s.noticed.of(quota), s.now); err != nil {
			t.Fatal(err)
		}
		if now := s.quota(name); now == nil || now.ResourceVersion != version {
			return
		}
		s.putQuota(quota)
	}
}

// record lets go whom the recorder lets go, by quotas as they were at some time.
func (s *story) record(t *rapid.T) {
	quotas := s.past[rapid.IntRange(1, s.newest()).Draw(t, "quotas seen")].quotas
	settled := func(name string, uid types.UID) bool {
		for _, q := range quotas {
			if q.Name == name && q.Settles() {
				return slices.Contains(q.Status.Settling, uid)
			}
		}
		return true
	}
	job := s.pick(t, accounting.Final)
	if job != nil {
		for _, name := range accounting.Quotas(job) {
			if !settled(name, job.UID) && s.quota(name) != nil {
				return
			}
		}
		s.write(func(r *revision, _ string) {
			r.jobs = slices.DeleteFunc(r.jobs, func(j v1alpha1.Job) bool { return j.UID == job.UID })
		})
	}
	for _, name := range []string{"person", "team"} {
		if q := s.quota(name); q != nil && !q.Settles() && (len(q.Status.Usage) == 0 || settled(q.Spec.Parent, q.UID)) {
			s.write(func(r *revision, _ string) {
				r.quotas = slices.DeleteFunc(r.quotas, func(q v1alpha1.Quota) bool { return q.Name == name })
			})
		}
	}
}

// check compares what a process that has seen everything sums up with all that ever ran.
func (s *story) check(t *rapid.T) {
	is := s.past[s.newest()]
	root := s.quota("root")
	b := burnOf(root, usageOf("root", is.quotas, nil, nil).below, refs(is.jobs...), s.now)
	for _, period := range []v1alpha1.BudgetPeriod{v1alpha1.BudgetDay, v1alpha1.BudgetWeek, v1alpha1.BudgetMonth} {
		from, to := accounting.Window(period, s.now)
		got := b.within(from, to)
		gpus, prices := int64(0), map[string]*big.Int{}
		for _, currency := range currencies {
			prices[currency] = new(big.Int)
		}
		for _, ran := range s.ran {
			end := ran.to
			if end.IsZero() {
				end = s.now
			}
			for second := maxTime(ran.from, from); second.Before(end) && second.Before(to); {
				step := minTime(end, to).Sub(second)
				gpus += ran.gpus * int64(step/time.Second)
				prices[ran.currency].Add(prices[ran.currency], big.NewInt(ran.price*int64(step/time.Second)))
				second = second.Add(step)
			}
		}
		if got.GPUSeconds != gpus {
			t.Fatalf("in a %s, %d GPU-seconds are summed up; %d were used", period, got.GPUSeconds, gpus)
		}
		for currency, used := range prices {
			if price := cmp.Or(got.PriceSeconds[currency], new(big.Int)); price.Cmp(used) != 0 {
				t.Fatalf("in a %s, %s %s are summed up; %s were used", period, price, currency, used)
			}
		}
	}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Whatever happens, in whatever order, and however old what processes see is: what was used is summed up, each second once.
func TestEverySecondCountsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory()
		t.Repeat(map[string]func(*rapid.T){
			"time passes": s.pass, "submit": s.submit, "start": s.start, "end": s.end, "delete": s.remove, "delete a quota": s.removeQuota, "let it go": s.drain,
			"hurry": s.hurry, "hurry more": s.hurry, "see": s.see, "restart": s.restart, "": s.check,
			"settle": s.settle, "settle more": s.settle, "settle a lot": s.settle, "let go": s.record, "let more go": s.record,
		})
	})
}

package quota

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/accounting"
	"github.com/soma-platform/soma/internal/lifecycle"
	"github.com/soma-platform/soma/internal/platform/conditions"
	"github.com/soma-platform/soma/internal/scheduling"
)

const (
	// unknownUser stands for whoever submitted a job of which that was not recorded.
	unknownUser = "(unknown)"
	// namedInMessages is the number of excesses that a message names.
	namedInMessages = 4
)

// usage is what is in use of a quota and those below it.
type usage struct {
	held     accounting.Sum
	users    map[string]*accounting.Sum
	projects int32
	waiting  int32
	// below are the quotas below it, and own what the jobs of each of them, and of the quota itself, hold.
	below []*v1alpha1.Quota
	own   map[string]*accounting.Sum
	// fault is what is wrong above; nil for nothing.
	fault *fault
}

// usageOf derives the usage of a quota from the reservations of all jobs. It changes none of the lists.
func usageOf(quota string, quotas []v1alpha1.Quota, jobs []*v1alpha1.Job, projects []v1alpha1.Project) usage {
	result := usage{
		users: map[string]*accounting.Sum{}, own: map[string]*accounting.Sum{}, below: below(quota, quotas), fault: faultAbove(quota, quotas),
	}
	counts := map[string]bool{quota: true}
	for _, q := range result.below {
		counts[q.Name] = true
	}
	under := map[string]bool{}
	for i := range projects {
		if counts[projects[i].Spec.Quota] {
			under[projects[i].Name] = true
			result.projects++
		}
	}
	for _, job := range jobs {
		switch reservation := job.Status.Reservation; {
		case reservation != nil && counts[reservation.Quota]:
			held := accounting.Held(reservation)
			result.held.Add(held)
			user := cmp.Or(job.Spec.SubmittedBy, unknownUser)
			add(result.users, user, held)
			add(result.own, reservation.Quota, held)
		case waits(job) && under[job.Namespace]:
			result.waiting++
		}
	}
	return result
}

// add adds what is held to that of a name.
func add(all map[string]*accounting.Sum, name string, held accounting.Sum) {
	if all[name] == nil {
		all[name] = &accounting.Sum{}
	}
	all[name].Add(held)
}

// pool is what the quota and those below it have together, nil where there are none.
func pool(quota *v1alpha1.Quota, found usage) *v1alpha1.QuotaPool {
	if len(found.below) == 0 {
		return nil
	}
	held := map[string]*v1alpha1.ResourceAmounts{}
	for name, sum := range found.own {
		held[name] = sum.Amounts()
	}
	return scheduling.PoolOf(quota, found.below, held)
}

// waits reports whether a job waits for a reservation.
func waits(job *v1alpha1.Job) bool {
	phase := job.Status.Phase
	return job.Status.Reservation == nil && job.DeletionTimestamp == nil && (phase == "" || phase == v1alpha1.JobPending)
}

// derive writes the usage into the status of the quota.
func derive(quota *v1alpha1.Quota, found usage, now time.Time) {
	status := &quota.Status
	status.ObservedGeneration = quota.Generation
	status.Phase = v1alpha1.QuotaActive
	status.Used = found.held.Amounts()
	status.Pool = pool(quota, found)
	status.Users = users(found.users)
	status.Projects = found.projects
	status.WaitingJobs = found.waiting

	outcome := lifecycle.Outcome{
		Verdict: lifecycle.Ready, Reason: v1alpha1.ReasonAvailable, Message: "The quota is applied.",
	}
	if f := found.fault; f != nil {
		outcome = lifecycle.Outcome{Verdict: lifecycle.Stuck, Reason: f.reason, Message: f.message}
	}
	if quota.DeletionTimestamp != nil {
		status.Phase = v1alpha1.QuotaTerminating
		left := "Nothing of the quota is left but its last entry in the history."
		if found.held.Jobs > 0 {
			left = "The quota stays, with all its limits, until no job holds anything under it."
		}
		outcome = lifecycle.Outcome{
			Verdict: lifecycle.Working, Reason: v1alpha1.ReasonTerminating,
			Message: left + inUse(found),
		}
	}
	outcome.Phase = string(status.Phase)
	lifecycle.Apply(quota, now, outcome)
	conditions.Set(&status.Conditions, now, exceeded(quota, found))
}

// drainTime is how long a quota that is being deleted stays at least: what the scheduler was about to write then is seen after that.
const drainTime = 3 * time.Second

// drained reports whether a quota that is being deleted need not stay for jobs any more: none has a reservation under it or below, all is
// settled, and those below it that are being deleted as well have handed over what they settled. Where parents go in a circle, nobody waits
// for who is above as well.
func drained(quota *v1alpha1.Quota, found usage, full bool, now time.Time) bool {
	above := map[string]bool{}
	for at := quota.Spec.Parent; at != "" && !above[at]; {
		above[at] = true
		at = parentOf(at, found.below)
	}
	for _, below := range found.below {
		if !above[below.Name] && below.DeletionTimestamp != nil && below.Name != quota.Name && len(below.Status.Usage) > 0 &&
			(below.Settles() || below.Spec.Parent == quota.Name && !slices.Contains(quota.Status.Settling, below.UID)) {
			return false
		}
	}
	return now.Sub(quota.DeletionTimestamp.Time) >= drainTime && found.held.Jobs == 0 && !full
}

// inUse says what still uses a quota that is being deleted, "" where nothing does.
func inUse(found usage) string {
	if found.held.Jobs == 0 && found.projects == 0 && len(found.below) == 0 {
		return ""
	}
	return fmt.Sprintf(" It was in use: by %d projects and %d quotas that name it, or one below it, and %d jobs that run and %d that wait. What runs goes on; nothing new is started.",
		found.projects, len(found.below), found.held.Jobs, found.waiting)
}

// exceeded tells whether more is held than is granted, to all or to single users.
func exceeded(quota *v1alpha1.Quota, found usage) metav1.Condition {
	var over []string
	if quota.Spec.Parent == "" && len(found.below) == 0 { // what may be borrowed depends on what others hold
		over = found.held.Over(quota.Spec.Nominal, true)
	}
	if perUser := quota.Spec.PerUser; perUser != nil {
		for _, name := range byUsage(found.users) {
			for _, what := range found.users[name].Over(*perUser, false) {
				over = append(over, fmt.Sprintf("user %s: %s", name, what))
			}
		}
	}
	condition := metav1.Condition{
		Type: v1alpha1.ConditionExceeded, Status: metav1.ConditionFalse, ObservedGeneration: quota.Generation,
		Reason: v1alpha1.ReasonWithinLimits, Message: "No more is held than granted.",
	}
	if len(over) > 0 {
		more := ""
		if len(over) > namedInMessages {
			more = fmt.Sprintf("; and %d more", len(over)-namedInMessages)
			over = over[:namedInMessages]
		}
		condition.Status = metav1.ConditionTrue
		condition.Reason = v1alpha1.ReasonLimitsExceeded
		condition.Message = "More is held than granted: " + strings.Join(over, "; ") + more + ". What runs goes on; nothing new is started."
	}
	return condition
}

func users(all map[string]*accounting.Sum) []v1alpha1.UserUsage {
	names := byUsage(all)
	if len(names) > v1alpha1.QuotaUsers {
		names = names[:v1alpha1.QuotaUsers]
	}
	var list []v1alpha1.UserUsage
	for _, name := range names {
		list = append(list, v1alpha1.UserUsage{Name: name, Used: *all[name].Amounts()})
	}
	return list
}

// byUsage are the names of the users, those who hold most first: GPUs, then memory, then cores.
func byUsage(all map[string]*accounting.Sum) []string {
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		x, y := all[a], all[b]
		return cmp.Or(
			cmp.Compare(y.GPUs, x.GPUs), y.Memory.Cmp(x.Memory), y.CPU.Cmp(x.CPU), cmp.Compare(y.Jobs, x.Jobs),
			cmp.Compare(a, b),
		)
	})
	return names
}

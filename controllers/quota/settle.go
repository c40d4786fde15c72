package quota

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/accounting"
	"github.com/soma-platform/soma/internal/platform/horizon"
)

// maxSettling bounds status.settling.
const maxSettling = 512

// What jobs used is summed up from their own status as long as they exist. Before one goes, what it used is taken into the status
// of its quota, in the same write with its UID: from then on the job itself does not count. The recorder lets the job go only
// after that. The UID stays until the job is gone for certain, so that no look at an old state counts it twice.

// facts are what the status of a quota is derived from. The lists are the cache's own and are never changed.
type facts struct {
	jobs     []*v1alpha1.Job
	quotas   []v1alpha1.Quota
	projects []v1alpha1.Project
	// jobsSeen and quotasSeen are versions that the lists are not older than; jobsUpTo is one that that of jobs is not newer than.
	jobsSeen, quotasSeen, jobsUpTo string
}

// old reports whether the jobs may be those of a time before some that were settled had gone.
func (f *facts) old(quotas ...*v1alpha1.Quota) (bool, error) {
	for _, q := range quotas {
		if reached, err := horizon.Reached(f.jobsSeen, q.Status.SettledVersion); err != nil || !reached {
			return true, err
		}
	}
	return false, nil
}

// passed reports whether both lists are at least as new as a version.
func (f *facts) passed(version string) (bool, error) {
	for _, seen := range []string{f.jobsSeen, f.quotasSeen} {
		if reached, err := horizon.Reached(seen, version); err != nil || !reached {
			return false, err
		}
	}
	return true, nil
}

// settle takes what jobs and quotas used that are about to go into the status of their quota, and takes the UIDs of those out that
// are gone. Noticed are versions of the quota at which UIDs were settling: what existed then, and is in no newer list, is
// gone. Full reports that some have to wait for their turn.
func settle(quota *v1alpha1.Quota, f *facts, noticed map[types.UID]string, now time.Time) (full bool, err error) {
	if err := dropGone(quota, f, noticed); err != nil {
		return false, err
	}
	if !quota.Settles() {
		return false, nil // the quota above takes it over as it is
	}
	status := &quota.Status
	settling := map[types.UID]bool{}
	for _, uid := range status.Settling {
		settling[uid] = true
	}
	var more []v1alpha1.DayUsage
	take := func(uid types.UID, days []v1alpha1.DayUsage) {
		if len(status.Settling) >= maxSettling {
			full = true
			return
		}
		status.Settling = append(status.Settling, uid)
		more = append(more, days...)
	}
	for _, job := range f.jobs {
		if accounting.Final(job) && !settling[job.UID] && slices.Contains(accounting.Quotas(job), quota.Name) {
			take(job.UID, accounting.DaysOf(job, quota.Name, now))
		}
	}
	for i := range f.quotas {
		below := &f.quotas[i]
		if !below.Settles() && below.Spec.Parent == quota.Name && len(below.Status.Usage) > 0 && !settling[below.UID] {
			take(below.UID, below.Status.Usage)
		}
	}
	if len(more) > 0 {
		status.Usage = accounting.Merge(status.Usage, more, now)
	}
	return full, nil
}

// dropGone takes the UIDs of what is gone for certain out of settling.
func dropGone(quota *v1alpha1.Quota, f *facts, noticed map[types.UID]string) error {
	status := &quota.Status
	if len(status.Settling) == 0 {
		return nil
	}
	there := make(map[types.UID]bool, len(status.Settling))
	for _, job := range f.jobs {
		there[job.UID] = true
	}
	for i := range f.quotas {
		there[f.quotas[i].UID] = true
	}
	var kept []types.UID
	for _, uid := range status.Settling {
		version, known := noticed[uid]
		gone := known && !there[uid]
		if gone {
			var err error
			if gone, err = f.passed(version); err != nil {
				return err
			}
		}
		if !gone {
			kept = append(kept, uid)
		}
	}
	if len(kept) < len(status.Settling) {
		status.Settling, status.SettledVersion = kept, f.jobsUpTo
	}
	return nil
}

// noticed are, for each quota by name, the first versions of it at which this process saw UIDs settling. Losing them costs time.
type noticed map[string]map[types.UID]string

// of notes what is settling in a quota, and returns what is known of it.
func (n noticed) of(quota *v1alpha1.Quota) map[types.UID]string {
	before, now := n[quota.Name], make(map[types.UID]string, len(quota.Status.Settling))
	for _, uid := range quota.Status.Settling {
		now[uid] = quota.ResourceVersion
		if version, known := before[uid]; known {
			now[uid] = version
		}
	}
	n[quota.Name] = now
	return now
}

package workload

import (
	"fmt"
	"strconv"
	"strings"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// uidDigits is how much of a job's UID its pods carry in their names: names can be used again, and a pod of an earlier job
// of the same name must never be taken for one of this.
const uidDigits = 8

// PodName is the name of the pod of a rank in an attempt. It is the same whenever it is asked for, so that a pod that
// exists is never made twice.
func PodName(job *platformv1.Job, attempt, rank int32) string {
	return fmt.Sprintf("%s-%d", attemptName(job, attempt), rank)
}

func attemptName(job *platformv1.Job, attempt int32) string {
	return fmt.Sprintf("%s-%s-%d", job.Name, strings.ReplaceAll(string(job.UID), "-", "")[:min(uidDigits, len(job.UID))], attempt)
}

// Hostname is the name of a replica within the job's own domain. It is the same in every attempt.
func Hostname(job *platformv1.Job, rank int32) string {
	return job.Name + "-" + strconv.Itoa(int(rank))
}

// InternalHostname is the name under which other jobs of the project reach the job.
func InternalHostname(job *platformv1.Job) string {
	return job.Name + "." + job.Namespace + ".svc"
}

func peers(job *platformv1.Job) []string {
	names := make([]string, job.Spec.ReplicaCount())
	for rank := range names {
		names[rank] = Hostname(job, int32(rank)) + "." + InternalHostname(job)
	}
	return names
}

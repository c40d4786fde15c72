package job

import (
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/workload"
)

func TestJobsAndPodsThatDoNotGoTogether(t *testing.T) {
	ran := &metav1.Time{Time: time.Unix(1, 0)}
	tests := map[string]struct {
		attempt     int32
		reservation *platformv1.Reservation
		// pods are the attempts of which the job has its first pod.
		pods                 []int32
		jobBehind, podBehind bool
	}{
		"nothing happened yet":                      {},
		"the pods are being made":                   {1, &platformv1.Reservation{Attempt: 1}, nil, false, false},
		"it runs":                                   {1, &platformv1.Reservation{Attempt: 1, StartTime: ran}, []int32{1}, false, false},
		"its pods are newer":                        {0, nil, []int32{1}, true, false},
		"its pods are those of a later attempt":     {2, &platformv1.Reservation{Attempt: 2, StartTime: ran}, []int32{2, 3}, true, false},
		"pods of an attempt that was given up":      {1, nil, []int32{1}, false, false},
		"pods are gone that ran":                    {1, &platformv1.Reservation{Attempt: 1, StartTime: ran}, nil, false, true},
		"those of the attempt before are not meant": {2, &platformv1.Reservation{Attempt: 2, StartTime: ran}, []int32{1}, false, true},
		"it is being ended, and the pods are gone":  {1, &platformv1.Reservation{Attempt: 1, Ending: platformv1.JobReasonUserRequested}, nil, false, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			job := &platformv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "a", UID: "u"}}
			job.Status.Attempt, job.Status.Reservation = tc.attempt, tc.reservation
			var pods []*corev1.Pod
			for _, attempt := range tc.pods {
				pods = append(pods, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
					Name: workload.PodName(job, attempt, 0), Labels: map[string]string{platformv1.LabelAttempt: strconv.Itoa(int(attempt))},
				}})
			}
			if behind := jobBehind(job, pods); behind != tc.jobBehind {
				t.Errorf("the job is behind: %t", behind)
			}
			if behind := podsBehind(job, pods); behind != tc.podBehind {
				t.Errorf("the pods are behind: %t", behind)
			}
		})
	}
}

package workload

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

func at(second int64) metav1.Time { return metav1.Unix(1_700_000_000+second, 0) }

// placed is a pod on a node whose container is in a state.
func placed(phase corev1.PodPhase, state corev1.ContainerState, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "uid"}}
	p.Spec.NodeName = "n1"
	p.Spec.Containers = []corev1.Container{{Name: ContainerName, Image: "registry.example/team/model:v403"}}
	p.Status.Phase = phase
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: ContainerName, State: state}}
	for _, c := range change {
		c(p)
	}
	return p
}

func waitsFor(reason, message string) *corev1.Pod {
	return placed(corev1.PodPending, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}})
}

func endedAt(second int64, code int32, change ...func(*corev1.Pod)) *corev1.Pod {
	phase := corev1.PodSucceeded
	if code != 0 {
		phase = corev1.PodFailed
	}
	return placed(phase, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: code, StartedAt: at(1), FinishedAt: at(second)}}, change...)
}

// deletedAt tells a pod to go within 30 seconds.
func deletedAt(second int64) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = ptr.To(at(second+30)), ptr.To(int64(30))
	}
}

// endsBy gives the reason that the node has for the end of a container.
func endsBy(reason string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.ContainerStatuses[0].State.Terminated.Reason = reason }
}

func disruptedAt(second int64, reason string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{
			Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason, Message: "because", LastTransitionTime: at(second)})
	}
}

func TestAPodThatWasTakenAwayDidNotSucceed(t *testing.T) {
	tests := map[string]struct {
		pod  *corev1.Pod
		want platformv1.JobReason
	}{
		"ended well":                              {endedAt(10, 0), platformv1.JobReasonCompleted},
		"removed, and it ends with 0 on SIGTERM":  {endedAt(10, 0, deletedAt(9)), platformv1.JobReasonCollected},
		"removed within the second of its end":    {endedAt(10, 0, deletedAt(10)), platformv1.JobReasonCollected},
		"removed after it had ended":              {endedAt(10, 0, deletedAt(11)), platformv1.JobReasonCompleted},
		"drained, and it ends with 0":             {endedAt(10, 0, deletedAt(9), disruptedAt(9, "EvictionByEvictionAPI")), platformv1.JobReasonEvicted},
		"its node is lost, and it ends with 0":    {endedAt(10, 0, disruptedAt(9, "DeletionByTaintManager")), platformv1.JobReasonNodeLost},
		"drained after it had ended":              {endedAt(10, 0, deletedAt(12), disruptedAt(12, "EvictionByEvictionAPI")), platformv1.JobReasonCompleted},
		"failed":                                  {endedAt(10, 3), platformv1.JobReasonError},
		"removed, and it fails":                   {endedAt(10, 143, deletedAt(9)), platformv1.JobReasonCollected},
		"removed after it had failed":             {endedAt(10, 3, deletedAt(12)), platformv1.JobReasonError},
		"drained, and it fails":                   {endedAt(10, 143, deletedAt(9), disruptedAt(9, "EvictionByEvictionAPI")), platformv1.JobReasonEvicted},
		"drained after it had failed":             {endedAt(10, 3, deletedAt(12), disruptedAt(12, "EvictionByEvictionAPI")), platformv1.JobReasonError},
		"its node is gone, and nobody saw it end": {placed(corev1.PodFailed, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, disruptedAt(9, "DeletionByPodGC")), platformv1.JobReasonNodeLost},
		"another pod needed the place":            {endedAt(10, 143, disruptedAt(9, corev1.PodReasonPreemptionByScheduler)), platformv1.JobReasonPreempted},
		"its node went down, says the runtime":    {endedAt(10, 255, endsBy("Unknown")), platformv1.JobReasonNodeLost},
		"its node went down, says the kubelet":    {endedAt(10, 137, endsBy("ContainerStatusUnknown")), platformv1.JobReasonNodeLost},
		"removed, and its container is unknown":   {endedAt(10, 137, deletedAt(9), endsBy("ContainerStatusUnknown")), platformv1.JobReasonCollected},
		"killed, and the node saw it":             {endedAt(10, 137, endsBy("Error")), platformv1.JobReasonError},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			seen := Observe([]*corev1.Pod{tc.pod}, nil)
			if seen.Reason != tc.want || (seen.State == AttemptSucceeded) != (tc.want == platformv1.JobReasonCompleted) {
				t.Errorf("state %d, %s (%s), want %s", seen.State, seen.Reason, seen.Message, tc.want)
			}
			if seen.State == AttemptFailed && seen.ExitCode != nil && *seen.ExitCode == 0 {
				t.Error("an attempt failed with exit code 0")
			}
			if tc.want == platformv1.JobReasonNodeLost && seen.ExitCode != nil {
				t.Errorf("exit code %d of what nobody saw end", *seen.ExitCode)
			}
		})
	}
}

// Of a GPU only what the node itself says is believed.
func TestLostGPUs(t *testing.T) {
	gpus := func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{platformv1.ResourceGPU: resource.MustParse("1")}
	}
	rejected := func(words string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.Reason, p.Status.Message, p.Status.ContainerStatuses = "UnexpectedAdmissionError", "Allocate failed due to "+words+", which is unexpected", nil
		}
	}
	health := func(h corev1.ResourceHealthStatus) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].AllocatedResourcesStatus = []corev1.ResourceStatus{{Name: platformv1.ResourceGPU,
				Resources: []corev1.ResourceHealth{{ResourceID: "GPU-7", Health: h}}}}
		}
	}
	ends := func(reason, words string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			end := p.Status.ContainerStatuses[0].State.Terminated
			end.Reason, end.Message = reason, words
		}
	}
	const device = "failed to create shim task: OCI runtime create failed: nvidia-container-cli: device error: GPU-7: unknown device"
	failed := func(change ...func(*corev1.Pod)) *corev1.Pod {
		return endedAt(10, 1, append([]func(*corev1.Pod){gpus}, change...)...)
	}
	creating := waitsFor("RunContainerError", device)
	gpus(creating)
	tests := map[string]struct {
		pod  *corev1.Pod
		want platformv1.JobReason
	}{
		"refused: all are broken":                 {failed(rejected("no healthy devices present; cannot allocate unhealthy devices nvidia.com/gpu")), platformv1.JobReasonGPULost},
		"refused: its plugin is gone":             {failed(rejected("cannot allocate unregistered device nvidia.com/gpu")), platformv1.JobReasonGPULost},
		"refused: too few, others may have them":  {failed(rejected("requested number of devices unavailable for nvidia.com/gpu. Requested: 1, Available: 0")), platformv1.JobReasonPreempted},
		"failed, and the GPU is broken":           {failed(health(corev1.ResourceHealthStatusUnhealthy)), platformv1.JobReasonGPULost},
		"failed, and the GPU is well":             {failed(health(corev1.ResourceHealthStatusHealthy)), platformv1.JobReasonError},
		"failed, and of the GPU nothing is known": {failed(health(corev1.ResourceHealthStatusUnknown)), platformv1.JobReasonError},
		"out of memory, and the GPU is broken":    {failed(health(corev1.ResourceHealthStatusUnhealthy), ends("OOMKilled", "")), platformv1.JobReasonOOMKilled},
		"the container gets no GPU":               {failed(ends("StartError", device)), platformv1.JobReasonGPULost},
		"the program says so":                     {failed(ends("Error", device)), platformv1.JobReasonError},
		"the image asks for another driver":       {failed(ends("StartError", "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=13.9")), platformv1.JobReasonContainerCannotRun},
		"a job without GPUs":                      {endedAt(10, 1, ends("StartError", device)), platformv1.JobReasonContainerCannotRun},
		"the container cannot be made":            {creating, platformv1.JobReasonGPULost},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if seen := Observe([]*corev1.Pod{tc.pod}, nil); seen.Reason != tc.want {
				t.Errorf("got %s (%s), want %s", seen.Reason, seen.Message, tc.want)
			}
		})
	}
}

func TestWhoIsToBlameForAnEviction(t *testing.T) {
	tests := map[string]platformv1.JobReason{
		"The node was low on resource: ephemeral-storage. Threshold quantity: 10, available: 9. ": platformv1.JobReasonEvicted,
		`Usage of EmptyDir volume "volume-0" exceeds the limit "1Gi". `:                           platformv1.JobReasonScratchExceeded,
		`Container job exceeded its local ephemeral storage limit "1Gi". `:                        platformv1.JobReasonScratchExceeded,
		"Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ":           platformv1.JobReasonScratchExceeded,
		"": platformv1.JobReasonEvicted,
	}
	for words, want := range tests {
		p := placed(corev1.PodFailed, corev1.ContainerState{}, func(p *corev1.Pod) { p.Status.Reason, p.Status.Message = "Evicted", words })
		if seen := Observe([]*corev1.Pod{p}, nil); seen.Reason != want {
			t.Errorf("%q: got %s, want %s", words, seen.Reason, want)
		}
	}
}

func TestImageReasons(t *testing.T) {
	const resolve = `failed to resolve reference "registry.example/team/model:v403": `
	tests := map[string]struct {
		image, message string
		want           platformv1.JobReason
	}{
		"a registry that refuses":         {"", resolve + "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed", platformv1.JobReasonImageUnauthorized},
		"with a code":                     {"", resolve + "unexpected status from HEAD request to https://registry.example/v2/team/model/manifests/v403: 403 Forbidden", platformv1.JobReasonImageUnauthorized},
		"with a code alone":               {"", resolve + "failed to fetch anonymous token: unexpected status code 401", platformv1.JobReasonImageUnauthorized},
		"in a registry's own error":       {"", `unexpected status: body: {"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, platformv1.JobReasonImageUnauthorized},
		"a tag with 403 in it":            {"", resolve + "registry.example/team/model:v403: not found", platformv1.JobReasonImageNotFound},
		"a name with a word in it":        {"denied:1", `failed to pull image "denied:1": docker.io/library/denied:1: not found`, platformv1.JobReasonImageNotFound},
		"a digest with 401 in it":         {"", `registry.example/a@sha256:401f403: manifest unknown`, platformv1.JobReasonImageNotFound},
		"a registry that does not answer": {"", resolve + "dial tcp 10.0.4.03:401: connect: connection refused", platformv1.JobReasonErrImagePull},
		"a registry of that name":         {"", "dial tcp: lookup forbidden.example/: no such host", platformv1.JobReasonErrImagePull},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			p := waitsFor("ErrImagePull", tc.message)
			if tc.image != "" {
				p.Spec.Containers[0].Image = tc.image
			}
			if seen := Observe([]*corev1.Pod{p}, nil); seen.Reason != tc.want {
				t.Errorf("got %s, want %s", seen.Reason, tc.want)
			}
		})
	}
}

// told is an event that was first seen at one second and last at another.
func told(reason, message string, first, last int64) corev1.Event {
	return corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: reason}, Reason: reason, Message: message, FirstTimestamp: at(first), LastTimestamp: at(last)}
}

func TestAPodThatIsPreparedSaysAtWhat(t *testing.T) {
	scheduled := corev1.Event{Reason: "Scheduled", EventTime: metav1.NewMicroTime(at(0).Time)}
	noSecret := told("FailedMount", `MountVolume.SetUp failed for volume "volume-0" : secret "keys" not found`, 2, 30)
	tests := map[string]struct {
		pod    *corev1.Pod
		events []corev1.Event
		want   platformv1.JobReason
		words  string
		// since is the second since when it fails, 0 where it does not.
		since int64
	}{
		"nothing known":    {pod: waitsFor("ContainerCreating", ""), want: platformv1.JobReasonContainerCreating},
		"only bound":       {pod: waitsFor("ContainerCreating", ""), events: []corev1.Event{scheduled}, want: platformv1.JobReasonContainerCreating},
		"pulls":            {pod: waitsFor("ContainerCreating", ""), events: []corev1.Event{told("Pulling", `Pulling image "a"`, 1, 1), scheduled}, want: platformv1.JobReasonPulling},
		"has pulled":       {pod: waitsFor("ContainerCreating", ""), events: []corev1.Event{told("Pulling", "", 1, 1), told("Pulled", "", 9, 9)}, want: platformv1.JobReasonContainerCreating},
		"no status yet":    {pod: placed(corev1.PodPending, corev1.ContainerState{}, func(p *corev1.Pod) { p.Status.ContainerStatuses = nil }), events: []corev1.Event{told("Pulling", "", 1, 1)}, want: platformv1.JobReasonPulling},
		"a secret is gone": {pod: waitsFor("ContainerCreating", ""), events: []corev1.Event{scheduled, noSecret}, want: platformv1.JobReasonSecretMissing, words: "add it", since: 2},
		"a key is missing": {pod: waitsFor("ContainerCreating", ""), events: []corev1.Event{told("FailedMount", `MountVolume.SetUp failed for volume "volume-0" : references non-existent secret key: token`, 3, 9)},
			want: platformv1.JobReasonSecretMissing, words: "key: token", since: 3},
		"a disk fails":              {pod: waitsFor("ContainerCreating", ""), events: []corev1.Event{told("FailedMount", "no space left on device", 3, 9)}, want: platformv1.JobReasonDiskUnavailable, words: "no space", since: 3},
		"it failed, and now pulls":  {pod: waitsFor("ContainerCreating", ""), events: []corev1.Event{noSecret, told("Pulling", "", 31, 31)}, want: platformv1.JobReasonPulling},
		"the network fails":         {pod: waitsFor("ContainerCreating", ""), events: []corev1.Event{told("FailedCreatePodSandBox", "plugin not ready", 4, 50), told("FailedCreatePodSandBox", "still not", 55, 60)}, want: platformv1.JobReasonContainerCreating, words: "still not", since: 4},
		"events of what it was":     {pod: endedAt(10, 0), events: []corev1.Event{noSecret}, want: platformv1.JobReasonCompleted},
		"its status says it itself": {pod: waitsFor("InvalidImageName", ""), events: []corev1.Event{told("Pulling", "", 1, 1)}, want: platformv1.JobReasonInvalidImageName},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			seen := Observe([]*corev1.Pod{tc.pod}, map[types.UID][]corev1.Event{"uid": tc.events, "other": {noSecret}})
			if seen.Reason != tc.want || !strings.Contains(seen.Message, tc.words) {
				t.Errorf("got %s (%s), want %s saying %q", seen.Reason, seen.Message, tc.want, tc.words)
			}
			want := time.Time{}
			if tc.since > 0 {
				want = at(tc.since).Time
			}
			if Preparing(tc.pod) && !seen.Waiting.Equal(want) {
				t.Errorf("fails since %v, want %v", seen.Waiting, want)
			}
		})
	}
}

// What fails is given the time that it may fail, however long the image was pulled before.
func TestSinceWhenAStartFails(t *testing.T) {
	pull, broken := told("Pulling", "", 1, 1), told("Failed", "connection reset", 299, 299)
	there := told("Pulled", "", 300, 300)
	scheduled := func(p *corev1.Pod) *corev1.Pod {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: at(1)})
		return p
	}
	tests := map[string]struct {
		pod    *corev1.Pod
		events []corev1.Event
		// since is the second since when it fails, 0 where it does not.
		since int64
	}{
		"no event tells: since it was bound":              {waitsFor("ErrImagePull", ""), nil, 1},
		"the pull of an image":                            {waitsFor("ErrImagePull", ""), []corev1.Event{pull, broken}, 299},
		"it fails again and again":                        {waitsFor("ImagePullBackOff", ""), []corev1.Event{told("Pulling", "", 1, 340), told("Failed", "", 299, 341), told("Failed", "other", 320, 341)}, 299},
		"it pulls again":                                  {waitsFor("ImagePullBackOff", ""), []corev1.Event{told("Pulling", "", 1, 310), broken}, 0},
		"it is not told yet that it failed":               {waitsFor("ErrImagePull", ""), []corev1.Event{pull}, 0},
		"a container that cannot be made, after the pull": {waitsFor("CreateContainerError", ""), []corev1.Event{pull, there, told("Failed", "", 301, 310)}, 300},
		"a container that cannot be started":              {waitsFor("RunContainerError", ""), []corev1.Event{pull, there}, 300},
		"a key that is missing":                           {waitsFor("CreateContainerConfigError", "couldn't find key x in Secret a/b"), []corev1.Event{pull, there}, 300},
		"a container, after a pull that failed at first":  {waitsFor("CreateContainerError", ""), []corev1.Event{told("Pulling", "", 1, 30), told("Failed", "reset", 20, 20), there}, 300},
		"a container: the pull is the last that is told":  {waitsFor("CreateContainerError", ""), []corev1.Event{pull}, 0},
		"a name that cannot be read":                      {waitsFor("InvalidImageName", ""), []corev1.Event{pull}, 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			seen := Observe([]*corev1.Pod{scheduled(tc.pod)}, map[types.UID][]corev1.Event{"uid": tc.events})
			want := time.Time{}
			if tc.since > 0 {
				want = at(tc.since).Time
			}
			if !seen.Waiting.Equal(want) || seen.State != AttemptStarting || !seen.Uncertain {
				t.Errorf("state %d, uncertain %t, fails since %v, want %v", seen.State, seen.Uncertain, seen.Waiting, want)
			}
		})
	}
}

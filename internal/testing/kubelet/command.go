package kubelet

import (
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// The words of a command.
const (
	wordRun    = "run"
	wordLive   = "live"
	wordStuck  = "stuck"
	wordPull   = "pull"
	wordRefuse = "refuse"
)

// forever is longer than any test.
const forever = 24 * time.Hour

// Exit is the command of a container that ends at once. The first attempt of the job ends with the first code, the second
// with the second, and so on; the last code is that of all that follow.
func Exit(codes ...int32) []string { return RunFor(0, codes...) }

// RunFor is the command of a container that runs for a time and then ends as with Exit.
func RunFor(lasts time.Duration, codes ...int32) []string {
	command := []string{wordRun, lasts.String()}
	for _, code := range codes {
		command = append(command, strconv.Itoa(int(code)))
	}
	return command
}

// RunUntilEnded is the command of a container that runs until its pod is deleted.
func RunUntilEnded() []string { return RunFor(forever, 0) }

// RunAndEndWell is the command of a container that runs until its pod is deleted, and then ends with 0.
func RunAndEndWell() []string { return []string{wordLive} }

func endsWell(pod *corev1.Pod) bool {
	command := pod.Spec.Containers[0].Command
	return len(command) > 0 && command[0] == wordLive
}

// NeverStart is the command of a container that stays in the making.
func NeverStart() []string { return []string{wordStuck} }

// NeverPull is the command of a container whose image cannot be pulled, as the registry says.
func NeverPull() []string { return []string{wordPull} }

// RefuseFirst is the command of a pod that its node has no place for in the job's first attempt, and that ends well in the
// second.
func RefuseFirst() []string { return []string{wordRefuse} }

func refused(pod *corev1.Pod) bool {
	container := &pod.Spec.Containers[0]
	return len(container.Command) > 0 && container.Command[0] == wordRefuse && attempt(container) == 1
}

// waitingOf is what keeps a container from its start, or nil.
func waitingOf(pod *corev1.Pod) *corev1.ContainerStateWaiting {
	command := pod.Spec.Containers[0].Command
	if len(command) == 0 {
		return nil
	}
	switch command[0] {
	case wordStuck:
		return &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
	case wordPull:
		return &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "connection refused"}
	}
	return nil
}

// read is how long the container of a pod runs and how it ends. A container without such a command ends well at once.
func read(pod *corev1.Pod) (lasts time.Duration, code int32) {
	container := pod.Spec.Containers[0]
	if endsWell(pod) {
		return forever, 0
	}
	if len(container.Command) < 3 || container.Command[0] != wordRun {
		return 0, 0
	}
	lasts, err := time.ParseDuration(container.Command[1])
	if err != nil {
		return 0, 0
	}
	codes := container.Command[2:]
	chosen, err := strconv.ParseInt(codes[min(max(attempt(&container), 1), len(codes))-1], 10, 32)
	if err != nil {
		return lasts, 1
	}
	return lasts, int32(chosen)
}

func attempt(container *corev1.Container) int {
	for _, variable := range container.Env {
		if variable.Name == "SOMA_ATTEMPT" {
			number, err := strconv.Atoi(variable.Value)
			if err == nil {
				return number
			}
		}
	}
	return 1
}

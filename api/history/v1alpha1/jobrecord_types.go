package v1alpha1

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	platform "github.com/soma-platform/soma/api/v1alpha1"
)

// JobRecordSpec is what the job was asked to run.
type JobRecordSpec struct {
	// job is the name of the job. Names can be used again: the record's own name is unique.
	Job string `json:"job"`

	// project that the job belonged to.
	Project string `json:"project"`

	// user who submitted the job.
	// +optional
	User string `json:"user,omitempty"`

	// cluster on which the job ran.
	// +optional
	Cluster string `json:"cluster,omitempty"`

	// pool of the first node on which the job ran.
	// +optional
	Pool string `json:"pool,omitempty"`

	// image that the job named.
	Image string `json:"image"`

	// imageDigest is the image that ran, by digest.
	// +optional
	ImageDigest string `json:"imageDigest,omitempty"`

	// command that replaced the image's entry point.
	// +optional
	// +listType=atomic
	Command []string `json:"command,omitempty"`

	// args that replaced the image's arguments.
	// +optional
	// +listType=atomic
	Args []string `json:"args,omitempty"`

	// commandTruncated is true where command and args together were longer than the history keeps (16 KiB).
	// +optional
	CommandTruncated bool `json:"commandTruncated,omitempty"`

	// preset that the job ran with.
	// +optional
	Preset string `json:"preset,omitempty"`

	// energySchedule that the job is bound to.
	// +optional
	EnergySchedule string `json:"energySchedule,omitempty"`

	// cpu of all replicas together, in cores. It is known once the job held a place, as are memory and gpus.
	// +optional
	CPU *resource.Quantity `json:"cpu,omitempty"`

	// memory of all replicas together, in bytes.
	// +optional
	Memory *resource.Quantity `json:"memory,omitempty"`

	// gpus of all replicas together.
	// +optional
	GPUs int64 `json:"gpus,omitempty"`

	// gpuModel of the GPUs.
	// +optional
	GPUModel string `json:"gpuModel,omitempty"`

	// replicas of the job.
	Replicas int32 `json:"replicas"`

	// tags of the job.
	// +optional
	// +listType=atomic
	Tags []string `json:"tags,omitempty"`

	// description of the job.
	// +optional
	Description string `json:"description,omitempty"`

	// jobSpec is the whole spec of the job. It is missing where it was longer than the history keeps (128 KiB).
	// +optional
	JobSpec *platform.JobSpec `json:"jobSpec,omitempty"`
}

// JobRecordStatus is what became of the job.
type JobRecordStatus struct {
	// phase of the job: Pending, Running, Suspended, Succeeded, Failed or Cancelled. It is the last one also where the job
	// was deleted since.
	Phase string `json:"phase"`

	// reason of the phase.
	// +optional
	Reason string `json:"reason,omitempty"`

	// message for a person.
	// +optional
	Message string `json:"message,omitempty"`

	// exitCode of the job.
	// +optional
	ExitCode *int32 `json:"exitCode,omitempty"`

	// submitTime is when the job was submitted.
	SubmitTime metav1.Time `json:"submitTime"`

	// startTime is when the first attempt ran.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// finishTime is when the job ended.
	// +optional
	FinishTime *metav1.Time `json:"finishTime,omitempty"`

	// deletedTime is when the job's object was deleted.
	// +optional
	DeletedTime *metav1.Time `json:"deletedTime,omitempty"`

	// attempts is the number of times that the job's pods were started.
	// +optional
	Attempts int32 `json:"attempts,omitempty"`

	// runSeconds is how long attempts that ended ran, all together.
	// +optional
	RunSeconds int64 `json:"runSeconds,omitempty"`

	// node of the newest attempt.
	// +optional
	Node string `json:"node,omitempty"`

	// cost of the attempts that ended, as far as it is in the currency of the newest.
	// +optional
	Cost *Cost `json:"cost,omitempty"`

	// pricePerHour of all replicas together, in the currency of the cost.
	// +optional
	PricePerHour string `json:"pricePerHour,omitempty"`

	// energy of the attempts that ended, as far as it is known.
	// +optional
	Energy *Energy `json:"energy,omitempty"`

	// endedAttempts are the newest attempts that ended, oldest first. They are given when one record is read, not in lists;
	// at most 16 of them.
	// +optional
	// +listType=atomic
	EndedAttempts []Attempt `json:"endedAttempts,omitempty"`

	// transitions of the job, oldest first. They are given when one record is read, not in lists; at most 1000 of them.
	// +optional
	// +listType=atomic
	Transitions []Transition `json:"transitions,omitempty"`
}

// Cost is an amount of money.
type Cost struct {
	// amount as a decimal number.
	Amount string `json:"amount"`
	// currency of the amount.
	// +optional
	Currency string `json:"currency,omitempty"`
}

// Energy is the energy that a job drew, and what came with it.
type Energy struct {
	// wattHours as a decimal number.
	WattHours string `json:"wattHours"`
	// co2Grams as a decimal number. It is not given where nothing is known of that.
	// +optional
	CO2Grams string `json:"co2Grams,omitempty"`
}

// Transition is one change in a job's life.
type Transition struct {
	// sequence is the number of the transition within the job's life, from 1.
	Sequence int64 `json:"sequence"`

	// time of the transition.
	Time metav1.MicroTime `json:"time"`

	// phase that the job entered; "Deleted" for the deletion of its object.
	Phase string `json:"phase"`

	// reason of the transition.
	// +optional
	Reason string `json:"reason,omitempty"`

	// message for a person.
	// +optional
	Message string `json:"message,omitempty"`

	// attempt that the transition belongs to.
	// +optional
	Attempt int32 `json:"attempt,omitempty"`

	// exitCode of the container, where the transition is the end of one.
	// +optional
	ExitCode *int32 `json:"exitCode,omitempty"`

	// attemptReason is why the attempt ended, where the transition is the end of one. The reason is what followed from it.
	// +optional
	AttemptReason string `json:"attemptReason,omitempty"`
}

// Attempt is one run of a job's pods that ended.
type Attempt struct {
	// number of the attempt, from 1.
	Number int32 `json:"number"`

	// startTime is when every replica ran. It is missing where that never came to be.
	// +optional
	StartTime *metav1.MicroTime `json:"startTime,omitempty"`

	// endTime is when the end of the attempt was found.
	EndTime metav1.MicroTime `json:"endTime"`

	// reason of the end, for instance OOMKilled.
	Reason string `json:"reason"`

	// exitCode of the replica that ended the attempt.
	// +optional
	ExitCode *int32 `json:"exitCode,omitempty"`

	// message for a person, with the container's last words where it ended badly.
	// +optional
	Message string `json:"message,omitempty"`
}

// JobRecord is what the history knows of one job, that may still exist or not. It can only be read.
//
// +kubebuilder:object:root=true
type JobRecord struct {
	metav1.TypeMeta `json:",inline"`
	// metadata of the record: namespace, UID, labels and creation time are those of the job.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the job was asked to run.
	Spec JobRecordSpec `json:"spec"`

	// status is what became of it.
	Status JobRecordStatus `json:"status"`
}

// JobRecordList is a list of job records.
//
// +kubebuilder:object:root=true
type JobRecordList struct {
	metav1.TypeMeta `json:",inline"`
	// metadata of the list; continue is set where there are more records.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	// items of the list.
	Items []JobRecord `json:"items"`
}

// recordDigits is how many digits of a job's UID its record's name ends with.
const recordDigits = 10

// RecordName is the name of the record of a job.
func RecordName(job string, uid types.UID) string {
	digits := strings.ReplaceAll(string(uid), "-", "")
	if len(digits) > recordDigits {
		digits = digits[:recordDigits]
	}
	return job + "-" + digits
}

// SplitRecordName is the reverse of RecordName: the name of the job and the first digits of its UID. It reports false where
// the name is not that of a record.
func SplitRecordName(name string) (job, digits string, ok bool) {
	at := len(name) - recordDigits - 1
	if at < 1 || name[at] != '-' {
		return "", "", false
	}
	digits = name[at+1:]
	if strings.Trim(digits, "0123456789abcdef") != "" {
		return "", "", false
	}
	return name[:at], digits, true
}

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// JobSpec is what a job is asked to run. What says what ran (image, command, environment, resources, volumes) cannot be
// changed; what steers the run (suspend, cancel, times, description) can.
// +kubebuilder:validation:XValidation:rule="self == oldSelf || self.image == oldSelf.image && has(self.imagePullSecret) == has(oldSelf.imagePullSecret) && (!has(self.imagePullSecret) || self.imagePullSecret == oldSelf.imagePullSecret) && has(self.command) == has(oldSelf.command) && (!has(self.command) || self.command == oldSelf.command) && has(self.args) == has(oldSelf.args) && (!has(self.args) || self.args == oldSelf.args) && has(self.env) == has(oldSelf.env) && (!has(self.env) || self.env == oldSelf.env) && has(self.workingDir) == has(oldSelf.workingDir) && (!has(self.workingDir) || self.workingDir == oldSelf.workingDir) && has(self.cluster) == has(oldSelf.cluster) && (!has(self.cluster) || self.cluster == oldSelf.cluster) && has(self.preset) == has(oldSelf.preset) && (!has(self.preset) || self.preset == oldSelf.preset) && has(self.energySchedule) == has(oldSelf.energySchedule) && (!has(self.energySchedule) || self.energySchedule == oldSelf.energySchedule) && has(self.resources) == has(oldSelf.resources) && (!has(self.resources) || self.resources == oldSelf.resources) && has(self.volumes) == has(oldSelf.volumes) && (!has(self.volumes) || self.volumes == oldSelf.volumes) && has(self.http) == has(oldSelf.http) && (!has(self.http) || self.http == oldSelf.http) && has(self.replicas) == has(oldSelf.replicas) && (!has(self.replicas) || self.replicas == oldSelf.replicas)",messageExpression="'a submitted job keeps what says what it runs; submit another one instead of changing:' + (self.image == oldSelf.image ? \"\" : ' image') + (has(self.imagePullSecret) == has(oldSelf.imagePullSecret) && (!has(self.imagePullSecret) || self.imagePullSecret == oldSelf.imagePullSecret) ? \"\" : ' imagePullSecret') + (has(self.command) == has(oldSelf.command) && (!has(self.command) || self.command == oldSelf.command) ? \"\" : ' command') + (has(self.args) == has(oldSelf.args) && (!has(self.args) || self.args == oldSelf.args) ? \"\" : ' args') + (has(self.env) == has(oldSelf.env) && (!has(self.env) || self.env == oldSelf.env) ? \"\" : ' env') + (has(self.workingDir) == has(oldSelf.workingDir) && (!has(self.workingDir) || self.workingDir == oldSelf.workingDir) ? \"\" : ' workingDir') + (has(self.cluster) == has(oldSelf.cluster) && (!has(self.cluster) || self.cluster == oldSelf.cluster) ? \"\" : ' cluster') + (has(self.preset) == has(oldSelf.preset) && (!has(self.preset) || self.preset == oldSelf.preset) ? \"\" : ' preset') + (has(self.energySchedule) == has(oldSelf.energySchedule) && (!has(self.energySchedule) || self.energySchedule == oldSelf.energySchedule) ? \"\" : ' energySchedule') + (has(self.resources) == has(oldSelf.resources) && (!has(self.resources) || self.resources == oldSelf.resources) ? \"\" : ' resources') + (has(self.volumes) == has(oldSelf.volumes) && (!has(self.volumes) || self.volumes == oldSelf.volumes) ? \"\" : ' volumes') + (has(self.http) == has(oldSelf.http) && (!has(self.http) || self.http == oldSelf.http) ? \"\" : ' http') + (has(self.replicas) == has(oldSelf.replicas) && (!has(self.replicas) || self.replicas == oldSelf.replicas) ? \"\" : ' replicas')"
// +kubebuilder:validation:XValidation:rule="has(self.submittedBy) == has(oldSelf.submittedBy) && (!has(self.submittedBy) || self.submittedBy == oldSelf.submittedBy)",message="submittedBy is recorded when the job is submitted and cannot be changed",fieldPath=".submittedBy"
// +kubebuilder:validation:XValidation:rule="has(self.submittedThrough) == has(oldSelf.submittedThrough) && (!has(self.submittedThrough) || self.submittedThrough == oldSelf.submittedThrough)",message="submittedThrough is recorded when the job is submitted and cannot be changed",fieldPath=".submittedThrough"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.cancel) || !oldSelf.cancel || (has(self.cancel) && self.cancel)",message="a cancelled job cannot be brought back; submit another job",fieldPath=".cancel"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.cancelledBy) || (has(self.cancelledBy) && self.cancelledBy == oldSelf.cancelledBy)",message="cancelledBy is recorded when the job is cancelled and cannot be changed",fieldPath=".cancelledBy"
// +kubebuilder:validation:XValidation:rule="!has(self.preset) || !has(self.resources) || !(has(self.resources.cpu) || has(self.resources.memory) || has(self.resources.gpu))",message="a job names a preset or its own cpu, memory and gpu, not both (shm may be given with a preset)",fieldPath=".resources"
// +kubebuilder:validation:XValidation:rule="!has(self.env) || self.env.map(e, has(e.value) ? size(e.value) : 0).sum() <= 65536",message="the values of env are more than 64 KiB together; put large data into a file or a secret",fieldPath=".env"
// +kubebuilder:validation:XValidation:rule="(has(self.command) ? self.command.map(c, size(c)).sum() : 0) + (has(self.args) ? self.args.map(a, size(a)).sum() : 0) <= 65536",message="command and args are more than 64 KiB together; put a long script into the image or a secret",fieldPath=".command"
// +kubebuilder:validation:XValidation:rule="!has(self.restart) || !has(self.restart.policy) || self.restart.policy != 'Always' || has(self.lifeSpanSeconds)",message="a job that is always restarted needs a lifeSpanSeconds, or it would never end",fieldPath=".restart"
type JobSpec struct {
	// description for people.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// tags by which jobs are found again.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:Pattern=`^\S+$`
	Tags []string `json:"tags,omitempty"`

	// image that runs, for instance "pytorch/pytorch:2.9.0". It runs as user 1000 without privileges.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^\S+$`
	Image string `json:"image"`

	// imagePullSecret names the project's secret with the credentials of the image's registry.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ImagePullSecret string `json:"imagePullSecret,omitempty"`

	// command replaces the image's entry point.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=16384
	Command []string `json:"command,omitempty"`

	// args replace the image's arguments.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=16384
	Args []string `json:"args,omitempty"`

	// env is the environment of the job. Names that begin with SOMA_ belong to Soma.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=128
	Env []EnvVar `json:"env,omitempty"`

	// workingDir replaces the image's working directory.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.split('/').exists(s, s == '..' || s == '.')",message="the path must not contain '.' or '..'"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^/`
	WorkingDir string `json:"workingDir,omitempty"`

	// cluster on which the job runs. Any cluster will do where it is not given.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=48
	Cluster string `json:"cluster,omitempty"`

	// preset is the name of one of the cluster's presets. A job with neither preset nor resources gets the first one.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	Preset string `json:"preset,omitempty"`

	// energySchedule is the name of one of the cluster's energy schedules, to whose windows the job is bound: outside of them it
	// waits. When a window ends the job's pods are ended, and it goes on as its next attempt in the next window.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	EnergySchedule string `json:"energySchedule,omitempty"`

	// resources of each replica, where no preset is named.
	// +optional
	Resources *JobResources `json:"resources,omitempty"`

	// volumes that the job sees.
	// +optional
	// +listType=map
	// +listMapKey=mountPath
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=24
	Volumes []Volume `json:"volumes,omitempty"`

	// http is the port on which the job serves. Other jobs of the project reach it at status.internalHostname.
	// +optional
	HTTP *HTTPPort `json:"http,omitempty"`

	// replicas is the number of equal pods that are started together or not at all; 1 where it is not given.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=256
	Replicas *int32 `json:"replicas,omitempty"`

	// placement says on which nodes the job may run; on any with room for it where it is not given.
	// +optional
	Placement *Placement `json:"placement,omitempty"`

	// preemptible allows that the job is made to give way to others where its quota says that such jobs do. It goes back to
	// its place in the queue and starts anew as its next attempt.
	// +optional
	Preemptible *bool `json:"preemptible,omitempty"`

	// priority among waiting jobs: those of higher priority start first. Normal where it is not given.
	// +optional
	Priority JobPriority `json:"priority,omitempty"`

	// restart says when the job is tried again. It is not where this is not given.
	// +optional
	Restart *Restart `json:"restart,omitempty"`

	// scheduleTimeoutSeconds is how long the job may wait for its start before it fails with ScheduleTimeout; for that of a
	// retry, from when it is due, and for that of a job which gave way or had to make a pause, from then. It waits without end where
	// this is not given.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2592000
	ScheduleTimeoutSeconds *int64 `json:"scheduleTimeoutSeconds,omitempty"`

	// lifeSpanSeconds is how long the job may run, all attempts together, before it is cancelled with LifeSpanEnded. Time in
	// which it waits or is suspended does not count.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=31536000
	LifeSpanSeconds *int64 `json:"lifeSpanSeconds,omitempty"`

	// gracePeriodSeconds is how long the job has, from SIGTERM on, to save what it wants to keep before it is killed: where it gives way to
	// another, is suspended or cancelled, or its life span is over; 30 where it is not given. A change counts from its next attempt on.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	GracePeriodSeconds *int64 `json:"gracePeriodSeconds,omitempty"`

	// ttlSecondsAfterFinished is how long the object and its pods (and so its logs) are kept after the end; one day where it
	// is not given. The history keeps its record.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31536000
	TTLSecondsAfterFinished *int32 `json:"ttlSecondsAfterFinished,omitempty"`

	// suspend ends the job's pods and keeps the job; it starts anew as its next attempt when suspend is taken back.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// cancel ends the job for good. It cannot be taken back.
	// +optional
	Cancel *bool `json:"cancel,omitempty"`

	// submittedBy is the user whose job it is. It is recorded by Soma; what is given here is replaced by who submits the job,
	// unless it is somebody who lets them do so, by spec.delegates of their User.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SubmittedBy string `json:"submittedBy,omitempty"`

	// submittedThrough is who submitted the job, where they did it on behalf of who submittedBy names. It is recorded by Soma;
	// what is given here is replaced.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SubmittedThrough string `json:"submittedThrough,omitempty"`

	// cancelledBy is the user who cancelled the job. It is recorded by Soma; what is given here is replaced.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	CancelledBy string `json:"cancelledBy,omitempty"`
}

// JobPriority orders waiting jobs.
// +kubebuilder:validation:Enum=Low;Normal;High
type JobPriority string

// The priorities.
const (
	PriorityLow    JobPriority = "Low"
	PriorityNormal JobPriority = "Normal"
	PriorityHigh   JobPriority = "High"
)

// EnvVar is one variable of a job's environment: a plain value, or a key of one of the project's secrets.
// +kubebuilder:validation:XValidation:rule="!(has(self.value) && has(self.secret))",message="a variable has a value or a secret, not both"
// +kubebuilder:validation:XValidation:rule="!self.name.startsWith('SOMA_')",message="names that begin with SOMA_ belong to Soma",fieldPath=".name"
type EnvVar struct {
	// name of the variable.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
	Name string `json:"name"`

	// value of the variable; empty where neither value nor secret is given.
	// +optional
	// +kubebuilder:validation:MaxLength=32768
	Value string `json:"value,omitempty"`

	// secret from which the value is taken.
	// +optional
	Secret *SecretKey `json:"secret,omitempty"`
}

// SecretKey names a value within one of the project's secrets.
type SecretKey struct {
	// name of the secret. It must have the label platform.soma.dev/secret=true.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// key within the secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^\.?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$`
	Key string `json:"key"`
}

// JobResources is what each replica of a job asks for. Requests are limits: a job gets this and no more.
// +kubebuilder:validation:XValidation:rule="has(self.cpu) == has(self.memory)",message="cpu and memory are given together"
// +kubebuilder:validation:XValidation:rule="!has(self.gpu) || has(self.cpu)",message="a job that asks for GPUs without a preset also says its cpu and memory"
// +kubebuilder:validation:XValidation:rule="!has(self.shm) || !has(self.memory) || quantity(string(self.shm)).compareTo(quantity(string(self.memory))) <= 0",message="shm is part of memory and cannot be more",fieldPath=".shm"
// +kubebuilder:validation:MinProperties=1
type JobResources struct {
	// cpu in cores, for instance "4" or "500m".
	// +optional
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).isGreaterThan(quantity('0'))",message="must be more than 0"
	CPU *resource.Quantity `json:"cpu,omitempty"`

	// memory in bytes, for instance "16Gi".
	// +optional
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).isGreaterThan(quantity('0'))",message="must be more than 0"
	Memory *resource.Quantity `json:"memory,omitempty"`

	// gpu is the number and model of GPUs.
	// +optional
	GPU *GPUs `json:"gpu,omitempty"`

	// shm is the size of /dev/shm, part of memory. 64Mi, or the preset's, where it is not given.
	// +optional
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).isGreaterThan(quantity('0'))",message="must be more than 0"
	SHM *resource.Quantity `json:"shm,omitempty"`
}

// Placement says on which nodes a job may run.
// +kubebuilder:validation:MinProperties=1
type Placement struct {
	// pools in which the job may run, the best first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Pools []string `json:"pools,omitempty"`

	// spot allows nodes that can be taken away at any time.
	// +optional
	Spot *bool `json:"spot,omitempty"`

	// within is the level of the cluster's topology of which all replicas must be in one domain, for instance "rack". They
	// are placed as near to each other as is possible in any case.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	Within string `json:"within,omitempty"`
}

// Volume is something that a job sees at a path: a secret of the project, or empty scratch space.
// +kubebuilder:validation:XValidation:rule="has(self.secret) != has(self.scratch)",message="a volume has exactly one source: secret or scratch"
// +kubebuilder:validation:XValidation:rule="!self.mountPath.split('/').exists(s, s == '..' || s == '.')",message="the path must not contain '.' or '..'",fieldPath=".mountPath"
// +kubebuilder:validation:XValidation:rule="!self.mountPath.contains('//') && !self.mountPath.endsWith('/')",message="the path must be written without empty segments and without '/' at its end",fieldPath=".mountPath"
// +kubebuilder:validation:XValidation:rule="!['/dev', '/proc', '/sys', '/etc'].exists(p, self.mountPath == p) && !['/dev/', '/proc/', '/sys/'].exists(p, self.mountPath.startsWith(p))",message="the path belongs to the system",fieldPath=".mountPath"
type Volume struct {
	// mountPath is the absolute path at which the job sees the volume.
	// +required
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^/[^:]+$`
	MountPath string `json:"mountPath"`

	// secret of the project.
	// +optional
	Secret *SecretVolume `json:"secret,omitempty"`

	// scratch is space that is empty at the start of each attempt and gone after it.
	// +optional
	Scratch *ScratchVolume `json:"scratch,omitempty"`
}

// SecretVolume shows a secret as files.
type SecretVolume struct {
	// name of the secret. It must have the label platform.soma.dev/secret=true.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// key that is shown as one file at mountPath. Without it mountPath is a folder with a file for every key.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^\.?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$`
	Key string `json:"key,omitempty"`
}

// ScratchVolume is empty space on the node's disk.
type ScratchVolume struct {
	// size at which the job is evicted, for instance "512Mi".
	// +required
	// +kubebuilder:validation:XValidation:rule="string(self) >= '1'",message="must be more than 0, and be written without '0', '.' or a sign before its first digit, for instance 512Mi"
	Size resource.Quantity `json:"size"`
}

// HTTPPort is a port on which a job serves HTTP.
type HTTPPort struct {
	// port number.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`

	// public lets everybody see the page, signed in or not, where the project lets its pages be public.
	// +optional
	Public *bool `json:"public,omitempty"`
}

// Job is a workload that runs in containers: one pod, or several equal ones that start together.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=sjob,categories=soma
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.reason`
// +kubebuilder:printcolumn:name="Owner",type=string,JSONPath=`.spec.submittedBy`
// +kubebuilder:printcolumn:name="Preset",type=string,JSONPath=`.status.preset`
// +kubebuilder:printcolumn:name="Queue",type=integer,JSONPath=`.status.queue.position`
// +kubebuilder:printcolumn:name="Started",type=date,JSONPath=`.status.startTime`
// +kubebuilder:printcolumn:name="Image",type=string,JSONPath=`.spec.image`,priority=1
// +kubebuilder:printcolumn:name="Pool",type=string,JSONPath=`.status.reservation.pool`,priority=1
// +kubebuilder:printcolumn:name="Exit",type=integer,JSONPath=`.status.exitCode`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:selectablefield:JSONPath=`.spec.submittedBy`
// +kubebuilder:selectablefield:JSONPath=`.status.phase`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="a job's name is a DNS label: 1 to 40 lower-case letters, digits and '-', beginning with a letter"
type Job struct {
	metav1.TypeMeta `json:",inline"`
	// metadata of the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec is what the job is asked to run.
	// +required
	Spec JobSpec `json:"spec"`

	// status is what became of it.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1,"phase":"Pending","reason":"Queued","message":"the scheduler has not looked at the job yet"}
	Status JobStatus `json:"status,omitempty,omitzero"`
}

// JobList is a list of jobs.
//
// +kubebuilder:object:root=true
type JobList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Job `json:"items"`
}

// GetConditions returns the conditions of the job, for helpers that work on any kind.
func (j *Job) GetConditions() *[]metav1.Condition { return &j.Status.Conditions }

// GetJournal returns the journal of the job.
func (j *Job) GetJournal() *Journal { return &j.Status.Journal }

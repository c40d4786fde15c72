package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// JobPhase tells where a job is in its life.
// +kubebuilder:validation:Enum=Pending;Running;Suspended;Succeeded;Failed;Cancelled
type JobPhase string

// The phases of a job. Succeeded, Failed and Cancelled are final.
const (
	// JobPending: the job waits for its reservation, or its pods are on their way.
	JobPending JobPhase = "Pending"
	// JobRunning: every replica runs.
	JobRunning JobPhase = "Running"
	// JobSuspended: the job's pods were ended on request; it goes on when it is resumed.
	JobSuspended JobPhase = "Suspended"
	// JobSucceeded: every replica ended with exit code 0.
	JobSucceeded JobPhase = "Succeeded"
	// JobFailed: the job ended without success and is not tried again.
	JobFailed JobPhase = "Failed"
	// JobCancelled: the job was ended by a person or by a limit.
	JobCancelled JobPhase = "Cancelled"
)

// JobStatus is what became of a job. It is derived from what exists; nothing in it is remembered that could be seen.
// Its parts have one writer and are atomic: the API server keeps no account of who owns which of their fields, which would
// be half of a job's size.
type JobStatus struct {
	// observedGeneration is the generation of the spec that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// phase of the job.
	// +optional
	Phase JobPhase `json:"phase,omitempty"`

	// reason of the phase; the reference lists them all.
	// +optional
	Reason JobReason `json:"reason,omitempty"`

	// message for a person: what happened or is waited for, with the container's last words where it ended badly.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Message string `json:"message,omitempty"`

	// queue says where a waiting job stands.
	// +optional
	// +structType=atomic
	Queue *QueueStatus `json:"queue,omitempty"`

	// reservation that the job holds: it is committed before any pod exists and released when every pod has ended.
	// +optional
	// +structType=atomic
	Reservation *Reservation `json:"reservation,omitempty"`

	// preset that the job runs with, also where it was chosen for it.
	// +optional
	// +kubebuilder:validation:MaxLength=40
	Preset string `json:"preset,omitempty"`

	// startTime is when the first attempt ran.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// finishTime is when the job ended.
	// +optional
	FinishTime *metav1.Time `json:"finishTime,omitempty"`

	// exitCode of the job: that of the replica that ended it.
	// +optional
	ExitCode *int32 `json:"exitCode,omitempty"`

	// imageDigest is the image that ran, by digest.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	ImageDigest string `json:"imageDigest,omitempty"`

	// internalHostname is the name under which other jobs of the project reach this one.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	InternalHostname string `json:"internalHostname,omitempty"`

	// url is where people see the page that the job serves, where the cluster has a place for it.
	// +optional
	// +kubebuilder:validation:MaxLength=270
	URL string `json:"url,omitempty"`

	// attempt is the number of the newest attempt, from 1.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Attempt int32 `json:"attempt,omitempty"`

	// retries is the number of attempts that followed failed ones at the cost of the budget.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Retries int32 `json:"retries,omitempty"`

	// failures are how many attempts of a job that is restarted failed, by what of. Those that gave way, or never ran for reasons
	// that are not the job's own, are not among them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=48
	Failures []FailureCount `json:"failures,omitempty"`

	// retryTime is before when no further attempt is made.
	// +optional
	RetryTime *metav1.Time `json:"retryTime,omitempty"`

	// attempts are the newest attempts, oldest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Attempts []Attempt `json:"attempts,omitempty"`

	// earlier is what attempts used that are not shown any more, by quota and day: budgets count it. Days that no budget reaches
	// are dropped.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=96
	Earlier []EarlierUsage `json:"earlier,omitempty"`

	// runSeconds is how long attempts that ended ran, all together, each at least one second. A running attempt is not in it.
	// +optional
	// +kubebuilder:validation:Minimum=0
	RunSeconds int64 `json:"runSeconds,omitempty"`

	// cost of the attempts that ended.
	// +optional
	// +structType=atomic
	Cost *Cost `json:"cost,omitempty"`

	// energy of the attempts that ended, as far as their presets say how much power they draw.
	// +optional
	// +structType=atomic
	Energy *JobEnergy `json:"energy,omitempty"`

	// conditions: Ready, Reconciling, Stalled, Reserved, Complete, Failed.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// journal of the job's life.
	// +optional
	Journal Journal `json:"journal,omitempty,omitzero"`
}

// QueueStatus says where a waiting job stands.
type QueueStatus struct {
	// position in the queue of the job's quota, by priority and submission, from 1, those aside that cannot start. Many jobs can start
	// at once; one that fits may start before one that does not, and one of a user who uses less before one of a user who uses more.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Position int32 `json:"position,omitempty"`

	// since is when the job began to wait. A job that could not start keeps it; a retry waits from when it is due.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`

	// displaced is when the job gave way to another or had to make a pause, or when its retry is due where the node took its
	// place: it waits in the place in the queue that it had.
	// +optional
	Displaced *metav1.Time `json:"displaced,omitempty"`

	// expectedStart is when the job starts at the latest, as far as can be told: if every job runs for as long as it may, and none
	// is submitted that goes before it. It is not given for jobs far back in the queue, nor where somebody has to end first whose
	// life span is not known.
	// +optional
	ExpectedStart *metav1.Time `json:"expectedStart,omitempty"`

	// heldBy is who holds what the job waits for, those who hold most first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4
	HeldBy []Holder `json:"heldBy,omitempty"`
}

// Holder is jobs under one quota that hold what another job waits for.
type Holder struct {
	// quota of the jobs.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Quota string `json:"quota"`

	// jobs is the number of them.
	// +required
	// +kubebuilder:validation:Minimum=1
	Jobs int32 `json:"jobs"`

	// gpus that they hold.
	// +optional
	// +kubebuilder:validation:Minimum=0
	GPUs int32 `json:"gpus,omitempty"`
}

// Reservation is the right of one attempt to use resources of the quota and places on nodes.
type Reservation struct {
	// attempt that the reservation is for.
	// +required
	// +kubebuilder:validation:Minimum=1
	Attempt int32 `json:"attempt"`

	// time at which it was made.
	// +required
	Time metav1.MicroTime `json:"time"`

	// quota that it counts against.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Quota string `json:"quota"`

	// cluster on which the attempt runs.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=48
	Cluster string `json:"cluster"`

	// pool of the first node.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Pool string `json:"pool,omitempty"`

	// nodes on which the replicas run, with the ranks on each.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	Nodes []NodeShare `json:"nodes"`

	// replica is what each replica holds.
	// +required
	Replica ReplicaResources `json:"replica"`

	// queuedSince is since when the job had waited for this attempt: its place in the queue, should it have to give way.
	// +optional
	QueuedSince *metav1.Time `json:"queuedSince,omitempty"`

	// startTime is when every replica ran.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// displacedFor is the job to which this attempt has to give way: by namespace and name where it is of the same project, by its UID
	// where it is of another.
	// +optional
	// +kubebuilder:validation:MaxLength=320
	DisplacedFor string `json:"displacedFor,omitempty"`

	// ending is why the attempt is being ended, once that is decided and while its pods still are.
	// +optional
	Ending JobReason `json:"ending,omitempty"`

	// endingMessage tells a person about it.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	EndingMessage string `json:"endingMessage,omitempty"`

	// endingNode is the node of the replica because of which the attempt is being ended, if there is one.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	EndingNode string `json:"endingNode,omitempty"`

	// pricePerHour of all replicas together, their energy among it.
	// +optional
	PricePerHour Price `json:"pricePerHour,omitempty"`

	// currency of the price.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Currency string `json:"currency,omitempty"`

	// energy that the attempt draws, as far as it is known.
	// +optional
	Energy *AttemptEnergy `json:"energy,omitempty"`
}

// NodeShare is the number of replicas on a node. Ranks are given out in the order of the list.
type NodeShare struct {
	// node name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Node string `json:"node"`

	// replicas on the node.
	// +required
	// +kubebuilder:validation:Minimum=1
	Replicas int32 `json:"replicas"`
}

// ReplicaResources is what one replica holds.
type ReplicaResources struct {
	// cpu in cores.
	// +required
	CPU resource.Quantity `json:"cpu"`

	// memory in bytes.
	// +required
	Memory resource.Quantity `json:"memory"`

	// gpus is the number of GPUs.
	// +optional
	// +kubebuilder:validation:Minimum=0
	GPUs int32 `json:"gpus,omitempty"`

	// gpuModel is the model of the GPUs, as the nodes name it.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	GPUModel string `json:"gpuModel,omitempty"`

	// shm is the size of /dev/shm.
	// +optional
	SHM *resource.Quantity `json:"shm,omitempty"`
}

// FailureCount is how many attempts of a job failed in the same way.
type FailureCount struct {
	// category of the failures.
	// +required
	Category FailureCategory `json:"category"`

	// exitCode with which the program ended; 0 where it did not, and for codes beyond the first 32 that the job had.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ExitCode int32 `json:"exitCode,omitempty"`

	// count of them.
	// +required
	// +kubebuilder:validation:Minimum=1
	Count int32 `json:"count"`
}

// Attempt is one run of a job's pods.
type Attempt struct {
	// number of the attempt, from 1.
	// +required
	// +kubebuilder:validation:Minimum=1
	Number int32 `json:"number"`

	// startTime is when every replica ran.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// finishTime is when the first replica failed or the last one ended.
	// +optional
	FinishTime *metav1.Time `json:"finishTime,omitempty"`

	// reason of the end.
	// +optional
	Reason JobReason `json:"reason,omitempty"`

	// exitCode of the replica that ended the attempt.
	// +optional
	ExitCode *int32 `json:"exitCode,omitempty"`

	// node of the replica that ended the attempt, or of the first.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Node string `json:"node,omitempty"`

	// cluster on which the attempt ran.
	// +optional
	// +kubebuilder:validation:MaxLength=48
	Cluster string `json:"cluster,omitempty"`

	// pool of the first node.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Pool string `json:"pool,omitempty"`

	// quota that the attempt counted against.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Quota string `json:"quota,omitempty"`

	// replica is what each replica held.
	// +optional
	Replica *ReplicaResources `json:"replica,omitempty"`

	// pricePerHour of all replicas together, their energy among it.
	// +optional
	PricePerHour Price `json:"pricePerHour,omitempty"`

	// currency of the price: that which the cluster had when the attempt was started.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Currency string `json:"currency,omitempty"`

	// energy that the attempt drew, as far as it is known.
	// +optional
	Energy *AttemptEnergy `json:"energy,omitempty"`
}

// Cost of a job. Amounts in different currencies are never added up.
type Cost struct {
	// amount of money.
	// +required
	Amount Price `json:"amount"`

	// currency of the amount: that of the newest attempt that had a price.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	Currency string `json:"currency"`

	// others are what the job cost in other currencies, the latest of which comes last: the prices of the cluster were in them when
	// earlier attempts were started.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4
	Others []OtherCost `json:"others,omitempty"`
}

// OtherCost is what a job cost in another currency.
type OtherCost struct {
	// amount of money.
	// +required
	Amount Price `json:"amount"`

	// currency of the amount.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	Currency string `json:"currency"`
}

// Placement is where a job's newest attempt runs or ran, and what it holds or held there: its reservation's, and after that
// was released the newest attempt's. It is empty for a job that never held a reservation.
func (s *JobStatus) Placement() Attempt {
	if r := s.Reservation; r != nil {
		placement := Attempt{
			Number: r.Attempt, Quota: r.Quota, Cluster: r.Cluster, Pool: r.Pool, Replica: &r.Replica, PricePerHour: r.PricePerHour,
			Currency: r.Currency, Energy: r.Energy,
		}
		if len(r.Nodes) > 0 {
			placement.Node = r.Nodes[0].Node
		}
		return placement
	}
	if n := len(s.Attempts); n > 0 {
		return s.Attempts[n-1]
	}
	return Attempt{}
}

// Finished reports whether the phase is final.
func (p JobPhase) Finished() bool {
	return p == JobSucceeded || p == JobFailed || p == JobCancelled
}

// ReplicaCount is the number of replicas that the job asks for.
func (s *JobSpec) ReplicaCount() int32 {
	if s.Replicas == nil {
		return 1
	}
	return *s.Replicas
}

// CancelRequested reports whether a person asked for the end of the job.
func (s *JobSpec) CancelRequested() bool { return s.Cancel != nil && *s.Cancel }

// SuspendRequested reports whether a person asked for the job to be suspended.
func (s *JobSpec) SuspendRequested() bool { return s.Suspend != nil && *s.Suspend }

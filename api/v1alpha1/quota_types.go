package v1alpha1

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// QuotaPhase tells a person where a quota is in its life.
// +kubebuilder:validation:Enum=Active;Terminating
type QuotaPhase string

// The phases of a quota.
const (
	// QuotaActive: the quota is applied.
	QuotaActive QuotaPhase = "Active"
	// QuotaTerminating: the quota is being deleted.
	QuotaTerminating QuotaPhase = "Terminating"
)

// QuotaUsers is how many single users the status of a quota tells of.
const QuotaUsers = 24

// QuotaSpec is what a quota grants.
// +kubebuilder:validation:XValidation:rule="has(self.parent) || !(has(self.borrowing) || has(self.lending))",message="only a quota with a parent borrows and lends",fieldPath=".parent"
type QuotaSpec struct {
	// description for people.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// parent is the quota that this one belongs to: what its members do not use, others of them may borrow. A quota without
	// one has its own and no more.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Parent string `json:"parent,omitempty"`

	// nominal is what all jobs under this quota may hold at the same time, what the quotas below it lend coming on top. Of cpu,
	// memory and GPUs, what is not given here the quota has none of.
	// +required
	Nominal ResourceAmounts `json:"nominal"`

	// borrowing is what jobs under this quota may hold beyond that, while others under the parent leave it free. What is not
	// given here is bounded by what the parent has. How many jobs run together is neither borrowed nor lent.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.runningJobs)",message="how many jobs run together is neither borrowed nor lent: leave runningJobs out",fieldPath=".runningJobs"
	Borrowing *ResourceAmounts `json:"borrowing,omitempty"`

	// lending is what of this quota's own others under the parent may hold while it is free. What is not given here is lent
	// as a whole.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.runningJobs)",message="how many jobs run together is neither borrowed nor lent: leave runningJobs out",fieldPath=".runningJobs"
	Lending *ResourceAmounts `json:"lending,omitempty"`

	// perUser is what the jobs of one user under this quota may hold at the same time. What is not given here is limited by
	// nominal alone.
	// +optional
	PerUser *ResourceAmounts `json:"perUser,omitempty"`

	// fairShare says who goes first where several want what there is.
	// +optional
	FairShare *FairShare `json:"fairShare,omitempty"`

	// preemption says which running jobs give way to waiting ones of this quota and those below it. None do where it is not
	// given.
	// +optional
	Preemption *Preemption `json:"preemption,omitempty"`

	// budgets are how much the jobs under this quota and those below it may use in each period.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Budgets []Budget `json:"budgets,omitempty"`
}

// FairShare says who goes first where several want what there is: who has the least of what is due to them.
// +kubebuilder:validation:MinProperties=1
type FairShare struct {
	// weight of this quota against the others of the same parent, in what is borrowed; 1 where it is not given.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Weight *int32 `json:"weight,omitempty"`

	// halfLifeSeconds is after how long half of what was used is forgotten. It counts for the whole tree and is given at its
	// root. Without it, what was used in the past does not count.
	// +optional
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=31536000
	HalfLifeSeconds *int64 `json:"halfLifeSeconds,omitempty"`

	// maxAgeSeconds is for how long the next job of a quota is kept waiting by those of others that have less of what is due to them. After
	// that it is kept a place before them. It counts for the whole tree and is given at its root; a day where it is not given. Where it is 0,
	// jobs that have waited for 5 minutes are kept a place by submission alone.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31536000
	MaxAgeSeconds *int64 `json:"maxAgeSeconds,omitempty"`
}

// Preemption says which running jobs give way to waiting ones. A job that gives way is told to end, gets its time to do so, and
// goes back to its place in the queue.
// +kubebuilder:validation:MinProperties=1
type Preemption struct {
	// lowerPriority is which jobs of lower priority give way, under the same quota or below it; Never where it is not given.
	// +optional
	LowerPriority Victims `json:"lowerPriority,omitempty"`

	// reclaim is which jobs of other quotas give way that run on what this quota has lent; Never where it is not given.
	// +optional
	Reclaim Victims `json:"reclaim,omitempty"`

	// quantumSeconds is how long a preemptible job runs before another of the same priority may take its turn, a minute at least; 0 is for
	// ever, as far as the quotas above do not say otherwise. Where it is not given that is 3600, if lowerPriority or reclaim lets jobs give way, and
	// otherwise no turns are taken. Jobs that are not preemptible never give way for that.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == 0 || self >= 60",message="a turn is at least 60 seconds; 0 switches turns off"
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31536000
	QuantumSeconds *int64 `json:"quantumSeconds,omitempty"`

	// longestWaitSeconds is how long a job that gave way waits before it goes ahead of others of its priority; 2 hours where
	// it is not given.
	// +optional
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=31536000
	LongestWaitSeconds *int64 `json:"longestWaitSeconds,omitempty"`

	// minimumRunSeconds is for how long a job under this quota does not give way once it runs. Where it is given, and not 0, the job
	// does not give way before it runs either, while its image is pulled for instance.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31536000
	MinimumRunSeconds *int64 `json:"minimumRunSeconds,omitempty"`
}

// Victims is a set of jobs that may have to give way.
// +kubebuilder:validation:Enum=Never;Preemptible;Any
type Victims string

// The sets of jobs that may have to give way.
const (
	// VictimsNever: none.
	VictimsNever Victims = "Never"
	// VictimsPreemptible: jobs that say of themselves that they may be preempted.
	VictimsPreemptible Victims = "Preemptible"
	// VictimsAny: all.
	VictimsAny Victims = "Any"
)

// QuotaStatus is what is in use of a quota.
type QuotaStatus struct {
	// observedGeneration is the generation of the spec that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// phase for people; programs read the conditions.
	// +optional
	Phase QuotaPhase `json:"phase,omitempty"`

	// used is what jobs under this quota hold, derived from their reservations.
	// +optional
	Used *ResourceAmounts `json:"used,omitempty"`

	// pool is what the quota and those below it have together, and what is in use of it. It is given where quotas are below this
	// one; another has its nominal, and uses of it what used says.
	// +optional
	Pool *QuotaPool `json:"pool,omitempty"`

	// users is what the jobs of single users hold, those who hold most first: QuotaUsers of them at most.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=24
	Users []UserUsage `json:"users,omitempty"`

	// projects is the number of projects that point at this quota.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Projects int32 `json:"projects,omitempty"`

	// waitingJobs is the number of jobs under this quota that wait for a reservation.
	// +optional
	// +kubebuilder:validation:Minimum=0
	WaitingJobs int32 `json:"waitingJobs,omitempty"`

	// budgets are how the budgets stand.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Budgets []BudgetStatus `json:"budgets,omitempty"`

	// usage is what jobs used under this quota that do not exist any more, or will not soon, by day, oldest first. What the others
	// used stands in their own status. Older days than any period can reach are dropped. It is atomic, as is settling: both
	// have one writer.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=42
	Usage []DayUsage `json:"usage,omitempty"`

	// settling are the UIDs of jobs, and of quotas right below this one, that are in usage and may still exist: what their own
	// status says does not count any more.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=512
	// +kubebuilder:validation:items:Type=string
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	Settling []types.UID `json:"settling,omitempty"`

	// settledVersion is the resourceVersion up to which jobs had been seen when UIDs were last taken out of settling. Who has
	// seen less may take for alive what is in usage.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	SettledVersion string `json:"settledVersion,omitempty"`

	// conditions: Ready, Reconciling, Stalled, Exceeded, BudgetWarning, BudgetExhausted.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// journal of the quota's life.
	// +optional
	Journal Journal `json:"journal,omitempty,omitzero"`
}

// QuotaPool is what a quota and those below it have together. With it, what is borrowed and left follows from a quota and those
// above it alone.
type QuotaPool struct {
	// total is the sum of nominal, of this quota and of those below it. Of GPU models, what is not given here is as in nominal.
	// +required
	Total ResourceAmounts `json:"total"`

	// kept is what of total the quotas below do not lend: it is for their own jobs alone.
	// +optional
	Kept ResourceAmounts `json:"kept,omitempty,omitzero"`

	// used is what is in use of the rest.
	// +optional
	Used ResourceAmounts `json:"used,omitempty,omitzero"`
}

// UserUsage is what the jobs of one user hold.
type UserUsage struct {
	// name of the user, as the API server knows it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// used is what the user's jobs hold.
	// +required
	Used ResourceAmounts `json:"used"`
}

// Quota grants amounts of resources to the jobs of the projects that point at it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=squota,categories=soma
// +kubebuilder:printcolumn:name="GPUs",type=integer,JSONPath=`.spec.nominal.gpus`
// +kubebuilder:printcolumn:name="Used GPUs",type=integer,JSONPath=`.status.used.gpus`
// +kubebuilder:printcolumn:name="Jobs",type=integer,JSONPath=`.status.used.runningJobs`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.waitingJobs`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="CPU",type=string,JSONPath=`.spec.nominal.cpu`,priority=1
// +kubebuilder:printcolumn:name="Used CPU",type=string,JSONPath=`.status.used.cpu`,priority=1
// +kubebuilder:printcolumn:name="Memory",type=string,JSONPath=`.spec.nominal.memory`,priority=1
// +kubebuilder:printcolumn:name="Used Memory",type=string,JSONPath=`.status.used.memory`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="a quota's name has at most 63 characters"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.parent) || self.spec.parent != self.metadata.name",message="a quota is not its own parent"
type Quota struct {
	metav1.TypeMeta `json:",inline"`
	// metadata of the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec is what the quota grants.
	// +required
	Spec QuotaSpec `json:"spec"`

	// status is what is in use of it.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status QuotaStatus `json:"status,omitempty,omitzero"`
}

// QuotaList is a list of quotas.
//
// +kubebuilder:object:root=true
type QuotaList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Quota `json:"items"`
}

// GetConditions returns the conditions of the quota, for helpers that work on any kind.
func (q *Quota) GetConditions() *[]metav1.Condition { return &q.Status.Conditions }

// GetJournal returns the journal of the quota.
func (q *Quota) GetJournal() *Journal { return &q.Status.Journal }

// Settles reports whether the quota takes up what jobs used before they go. One that is being deleted does so as long as it stays for jobs.
func (q *Quota) Settles() bool {
	return q.DeletionTimestamp == nil || slices.Contains(q.Finalizers, FinalizerJobs)
}

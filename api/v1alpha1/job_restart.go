package v1alpha1

// RestartPolicy says after which ends a job is tried again.
// +kubebuilder:validation:Enum=Never;OnFailure;Always
type RestartPolicy string

// The restart policies.
const (
	// RestartNever: the first end is the job's end.
	RestartNever RestartPolicy = "Never"
	// RestartOnFailure: a failed attempt is followed by another while the budget lasts.
	RestartOnFailure RestartPolicy = "OnFailure"
	// RestartAlways: every attempt is followed by another until the life span ends or the job is cancelled; failed ones
	// while the budget lasts.
	RestartAlways RestartPolicy = "Always"
)

// FailureCategory is what an attempt failed of.
// +kubebuilder:validation:Enum=ExitCode;OutOfMemory;OutOfScratch;Image;Command;Removed;Evicted;NodeLost;GPULost;Preempted
type FailureCategory string

// The categories. The last four are not the job's own doing: attempts that end so cost nothing of its budget.
const (
	// FailureExitCode: the program ended with an exit code other than 0.
	FailureExitCode FailureCategory = "ExitCode"
	// FailureOutOfMemory: the program used more memory than it asked for.
	FailureOutOfMemory FailureCategory = "OutOfMemory"
	// FailureOutOfScratch: the program used more scratch space than it asked for.
	FailureOutOfScratch FailureCategory = "OutOfScratch"
	// FailureImage: the image could not be had.
	FailureImage FailureCategory = "Image"
	// FailureCommand: the command cannot be run, or the cluster will not have the pods.
	FailureCommand FailureCategory = "Command"
	// FailureRemoved: somebody removed a pod while it ran, or it vanished.
	FailureRemoved FailureCategory = "Removed"
	// FailureEvicted: the node ran short of a resource, or is being emptied.
	FailureEvicted FailureCategory = "Evicted"
	// FailureNodeLost: the node went away.
	FailureNodeLost FailureCategory = "NodeLost"
	// FailureGPULost: a GPU of the job went away or is broken, as its node says.
	FailureGPULost FailureCategory = "GPULost"
	// FailurePreempted: another pod needed the place.
	FailurePreempted FailureCategory = "Preempted"
)

// RestartAction is what follows a failed attempt.
// +kubebuilder:validation:Enum=Retry;RetryFree;Fail
type RestartAction string

// The actions.
const (
	// RestartRetry: another attempt follows while the budget lasts.
	RestartRetry RestartAction = "Retry"
	// RestartRetryFree: another attempt follows and costs nothing of the budget.
	RestartRetryFree RestartAction = "RetryFree"
	// RestartFail: the job has failed.
	RestartFail RestartAction = "Fail"
)

// Restart says when a job is tried again.
// +kubebuilder:validation:XValidation:rule="!has(self.rules) || (has(self.policy) && self.policy != 'Never')",message="rules say what follows failures: they need the policy OnFailure or Always",fieldPath=".rules"
// +kubebuilder:validation:XValidation:rule="(has(self.backoffSeconds) ? self.backoffSeconds : 2) <= (has(self.maxBackoffSeconds) ? self.maxBackoffSeconds : 300)",message="the first pause is longer than the longest: raise maxBackoffSeconds (300 where it is not given), or lower backoffSeconds",fieldPath=".backoffSeconds"
// +kubebuilder:validation:XValidation:rule="!has(self.rules) || self.rules.all(r, !has(r.backoffSeconds) && !has(r.maxBackoffSeconds) || (has(r.backoffSeconds) ? r.backoffSeconds : has(self.backoffSeconds) ? self.backoffSeconds : 2) <= (has(r.maxBackoffSeconds) ? r.maxBackoffSeconds : has(self.maxBackoffSeconds) ? self.maxBackoffSeconds : 300))",message="the first pause of a rule is longer than its longest: raise its maxBackoffSeconds, or lower its backoffSeconds (what it does not give is that of the job)",fieldPath=".rules"
type Restart struct {
	// policy is Never where it is not given.
	// +optional
	Policy RestartPolicy `json:"policy,omitempty"`

	// maxRetries is the number of attempts after failed ones; 3 where it is not given. Attempts that ended because the job
	// was suspended do not count, nor do those that failed of what is not the job's doing: Evicted, NodeLost, GPULost, Preempted.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MaxRetries *int32 `json:"maxRetries,omitempty"`

	// backoffSeconds is the pause before the first retry; 2 where it is not given. It doubles with each failure of the same
	// category. Rules may have pauses of their own.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	BackoffSeconds *int64 `json:"backoffSeconds,omitempty"`

	// maxBackoffSeconds is the longest pause before a retry; 300 where it is not given.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	MaxBackoffSeconds *int64 `json:"maxBackoffSeconds,omitempty"`

	// rules say what follows failures of some kinds: the first that matches counts. Where none does, another attempt follows
	// while maxRetries lasts; what is not the job's doing is followed by another at no cost, up to 100 times for each category.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Rules []RestartRule `json:"rules,omitempty"`
}

// RestartRule says what follows failures of a kind.
// +kubebuilder:validation:XValidation:rule="has(self.categories) != has(self.exitCodes)",message="a rule is about categories or about exitCodes: give one of the two"
// +kubebuilder:validation:XValidation:rule="!has(self.maxRetries) || self.action != 'Fail'",message="a job that fails is not retried: leave maxRetries out, or choose another action",fieldPath=".maxRetries"
// +kubebuilder:validation:XValidation:rule="!(has(self.backoffSeconds) || has(self.maxBackoffSeconds)) || self.action != 'Fail'",message="a job that fails is not retried: leave backoffSeconds and maxBackoffSeconds out, or choose another action",fieldPath=".backoffSeconds"
type RestartRule struct {
	// categories of failures that the rule is about.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Categories []FailureCategory `json:"categories,omitempty"`

	// exitCodes that the rule is about, where the program ended by itself with one of them: failures of the category ExitCode.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=255
	ExitCodes []int32 `json:"exitCodes,omitempty"`

	// action is what follows.
	// +required
	Action RestartAction `json:"action"`

	// maxRetries is how many failures that the rule is about are followed by another attempt. With Retry the budget of the job
	// counts as well; with RetryFree it is 100 where it is not given.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	MaxRetries *int32 `json:"maxRetries,omitempty"`

	// backoffSeconds is the pause before the first attempt that follows a failure that the rule is about; that of the job where it is not
	// given. Where the rule gives one of its pauses, they double with each failure that it is about.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	BackoffSeconds *int64 `json:"backoffSeconds,omitempty"`

	// maxBackoffSeconds is the longest pause before such an attempt; that of the job where it is not given.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	MaxBackoffSeconds *int64 `json:"maxBackoffSeconds,omitempty"`
}

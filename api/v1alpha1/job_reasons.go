package v1alpha1

// JobReason says why a job is in its phase.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=64
type JobReason string

// Busy reports whether a job that waits for this reason starts when others end: nobody has to act upon it.
func (r JobReason) Busy() bool {
	switch r {
	case JobReasonQueued, JobReasonGangWaiting, JobReasonQuotaExceeded:
		return true
	default:
		return false
	}
}

// Impossible reports whether a job that waits for this reason cannot start until somebody changes something: waiting alone does not
// help.
func (r JobReason) Impossible() bool {
	switch r {
	case JobReasonUnschedulable, JobReasonQuotaTooSmall, JobReasonQuotaMissing, JobReasonProjectNotReady, JobReasonClusterNotFound,
		JobReasonPresetInvalid, JobReasonPresetNotFound, JobReasonSecretMissing, JobReasonEnergyScheduleNotFound, JobReasonReservationRefused:
		return true
	default:
		return false
	}
}

// Reasons of a job that waits (Pending).
const (
	// JobReasonQueued: everything fits, but not now: others hold what the job needs.
	JobReasonQueued JobReason = "Queued"
	// JobReasonGangWaiting: there is room for some of the job's replicas and not for all of them together; it starts when others end.
	JobReasonGangWaiting JobReason = "GangWaiting"
	// JobReasonUnschedulable: the nodes of the cluster could not run the job even if they were empty: it is impossible for now.
	JobReasonUnschedulable JobReason = "Unschedulable"
	// JobReasonQuotaExceeded: the job's quota, one above it, or the user's own share of one is in use; the message names which. The job
	// starts when others that count there end.
	JobReasonQuotaExceeded JobReason = "QuotaExceeded"
	// JobReasonQuotaTooSmall: the job asks for more than its quota grants at all: impossible until the quota is raised.
	JobReasonQuotaTooSmall JobReason = "QuotaTooSmall"
	// JobReasonQuotaMissing: the project has no quota, or names one that does not exist, or that is being deleted, itself or one above it: nothing may
	// run in it.
	JobReasonQuotaMissing JobReason = "QuotaMissing"
	// JobReasonProjectNotReady: the namespace belongs to no project, or its project is being deleted.
	JobReasonProjectNotReady JobReason = "ProjectNotReady"
	// JobReasonClusterNotFound: no cluster, or not the one that the job names.
	JobReasonClusterNotFound JobReason = "ClusterNotFound"
	// JobReasonPresetInvalid: the preset asks for no cpu or memory, or for more shm than memory.
	JobReasonPresetInvalid JobReason = "PresetInvalid"
	// JobReasonClusterUnreachable: the cluster does not answer.
	JobReasonClusterUnreachable JobReason = "ClusterUnreachable"
	// JobReasonPresetNotFound: the cluster has no preset of the name.
	JobReasonPresetNotFound JobReason = "PresetNotFound"
	// JobReasonSecretMissing: a secret or key that the job names does not exist or is not marked for jobs. The job starts when
	// it is there.
	JobReasonSecretMissing JobReason = "SecretMissing"
	// JobReasonBudgetExhausted: a budget of the job's quota, or of one above it, is used up, or not known yet; the message says
	// which and when it is renewed. A job that ran goes on then.
	JobReasonBudgetExhausted JobReason = "BudgetExhausted"
	// JobReasonEnergyWindow: the energy schedule that the job is bound to is closed, or nobody can tell; the message says until
	// when. A job that ran goes on then.
	JobReasonEnergyWindow JobReason = "EnergyWindow"
	// JobReasonEnergyScheduleNotFound: the cluster has no energy schedule of the name.
	JobReasonEnergyScheduleNotFound JobReason = "EnergyScheduleNotFound"
	// JobReasonBackOff: the job waits before it is tried again.
	JobReasonBackOff JobReason = "BackOff"
	// JobReasonReservationRefused: the job's reservation cannot be stored; the message says why. Somebody has to change that.
	JobReasonReservationRefused JobReason = "ReservationRefused"
	// JobReasonHistoryBacklog: the history is away and the job's journal is full; the next attempt waits for it.
	JobReasonHistoryBacklog JobReason = "HistoryBacklog"

	// JobReasonCreating: the reservation is committed, the pods are being made.
	JobReasonCreating JobReason = "Creating"
	// JobReasonScheduling: the pods exist and are not bound to their nodes yet.
	JobReasonScheduling JobReason = "Scheduling"
	// JobReasonPodInitializing: the pods' init containers run.
	JobReasonPodInitializing JobReason = "PodInitializing"
	// JobReasonContainerCreating: the node prepares the container (volumes, network, image), or could not for too long.
	JobReasonContainerCreating JobReason = "ContainerCreating"
	// JobReasonPulling: the image is being pulled.
	JobReasonPulling JobReason = "Pulling"
	// JobReasonErrImagePull: pulling the image failed and is tried again.
	JobReasonErrImagePull JobReason = "ErrImagePull"
	// JobReasonRestarting: an attempt ended and the next is being prepared.
	JobReasonRestarting JobReason = "Restarting"
	// JobReasonTerminating: the pods are being ended.
	JobReasonTerminating JobReason = "Terminating"
)

// Reasons of a job that runs or is suspended.
const (
	// JobReasonRunning: every replica runs.
	JobReasonRunning JobReason = "Running"
	// JobReasonSuspended: the job was suspended on request.
	JobReasonSuspended JobReason = "Suspended"
)

// Reasons of an attempt's or a job's end.
const (
	// JobReasonCompleted: every replica ended with exit code 0.
	JobReasonCompleted JobReason = "Completed"
	// JobReasonError: a container ended with an exit code other than 0.
	JobReasonError JobReason = "Error"
	// JobReasonOOMKilled: a container used more memory than it asked for.
	JobReasonOOMKilled JobReason = "OOMKilled"
	// JobReasonEvicted: the node ended the pod because it was short of a resource, or somebody drained the node.
	JobReasonEvicted JobReason = "Evicted"
	// JobReasonScratchExceeded: the pod used more scratch space than it asked for, and its node ended it.
	JobReasonScratchExceeded JobReason = "ScratchExceeded"
	// JobReasonContainerCannotRun: the command does not exist in the image or cannot be executed.
	JobReasonContainerCannotRun JobReason = "ContainerCannotRun"
	// JobReasonImagePullBackOff: the image could not be pulled.
	JobReasonImagePullBackOff JobReason = "ImagePullBackOff"
	// JobReasonImageNotFound: the registry, or the node, does not have the image.
	JobReasonImageNotFound JobReason = "ImageNotFound"
	// JobReasonImageUnauthorized: the registry refused the image to us.
	JobReasonImageUnauthorized JobReason = "ImageUnauthorized"
	// JobReasonInvalidImageName: the image's name cannot be read.
	JobReasonInvalidImageName JobReason = "InvalidImageName"
	// JobReasonDiskUnavailable: a volume cannot be attached or mounted.
	JobReasonDiskUnavailable JobReason = "DiskUnavailable"
	// JobReasonPolicyDenied: the cluster will not have the job's pods: its policy refuses them, they are too large, or a name
	// that the job needs is taken. The message says which.
	JobReasonPolicyDenied JobReason = "PolicyDenied"
	// JobReasonNodeLost: the node went away with the pod.
	JobReasonNodeLost JobReason = "NodeLost"
	// JobReasonGPULost: a GPU of the job went away or is broken, as its node says.
	JobReasonGPULost JobReason = "GPULost"
	// JobReasonNotFound: the pod vanished and nobody said why.
	JobReasonNotFound JobReason = "NotFound"
	// JobReasonPreempted: another job or pod needed the place.
	JobReasonPreempted JobReason = "Preempted"
	// JobReasonScheduleTimeout: the job did not start within its schedule timeout.
	JobReasonScheduleTimeout JobReason = "ScheduleTimeout"
	// JobReasonLifeSpanEnded: the job ran for its whole life span.
	JobReasonLifeSpanEnded JobReason = "LifeSpanEnded"
	// JobReasonUserRequested: a person cancelled or deleted the job.
	JobReasonUserRequested JobReason = "UserRequested"
	// JobReasonQuotaExhausted: the budget that paid for the job is used up, and ends what runs.
	JobReasonQuotaExhausted JobReason = "QuotaExhausted"
	// JobReasonProjectDeleted: the job's project was deleted.
	JobReasonProjectDeleted JobReason = "ProjectDeleted"
	// JobReasonCollected: the job's pods were removed by somebody else while it ran.
	JobReasonCollected JobReason = "Collected"
)

// Reasons that are reserved for what is to come: nothing sets them yet.
const (
	// JobReasonClusterScalingUp: the cluster is adding a node for the job.
	JobReasonClusterScalingUp JobReason = "ClusterScalingUp"
	// JobReasonCheckpointing: the job is saving its state before it is ended.
	JobReasonCheckpointing JobReason = "Checkpointing"
	// JobReasonUnresponsive: the job stopped answering.
	JobReasonUnresponsive JobReason = "Unresponsive"
	// JobReasonDependencyFailed: something that the job depends on failed.
	JobReasonDependencyFailed JobReason = "DependencyFailed"
	// JobReasonClusterScaleUpFailed: the cluster could not add a node for the job.
	JobReasonClusterScaleUpFailed JobReason = "ClusterScaleUpFailed"
)

package v1alpha1

// Labels, annotations and finalizers that Soma writes or reads. All of them lie under the group's own prefix.
const (
	// LabelProject names the project on every object that Soma makes for it.
	LabelProject = GroupName + "/project"
	// LabelJob names the job on its pods and services.
	LabelJob = GroupName + "/job"
	// LabelJobUID is the UID of the job on its pods and services: names can be used again, UIDs cannot.
	LabelJobUID = GroupName + "/job-uid"
	// LabelAttempt is the number of the attempt that a pod belongs to, from 1.
	LabelAttempt = GroupName + "/attempt"
	// LabelRank is the rank of a pod among the replicas of its job, from 0.
	LabelRank = GroupName + "/rank"
	// LabelSecret marks, with the value "true", the secrets of a project that its jobs may use.
	LabelSecret = GroupName + "/secret"
	// LabelProxy marks, with the value "true", the namespace of a proxy that carries the pages of jobs itself: it is let in to them.
	LabelProxy = GroupName + "/proxy"
	// LabelAccess marks the objects of RBAC that are made from users, roles and grants, with the value AccessProject or
	// AccessPlatform. They are changed and removed by Soma alone.
	LabelAccess = GroupName + "/access"
	// AccessProject is the value of LabelAccess on what says who may do something in a project, which LabelProject names.
	AccessProject = "project"
	// AccessPlatform is the value of LabelAccess on what says who may do something outside projects.
	AccessPlatform = "platform"
	// LabelPool on a node names the pool that the node belongs to.
	LabelPool = GroupName + "/pool"
	// LabelSpot marks, with the value "true", a node that can be taken away at any time.
	LabelSpot = GroupName + "/spot"

	// TaintQuarantine on a node keeps further jobs from it. Soma gives it the value TaintFailures and takes it off again; with any
	// other value it stays until somebody takes it off.
	TaintQuarantine = GroupName + "/quarantine"
	// TaintFailures is the value of TaintQuarantine on a node on which jobs failed.
	TaintFailures = "failures"

	// AnnotationReservation on a pod is the resourceVersion of the job in which the pod's reservation was found committed.
	AnnotationReservation = GroupName + "/reservation"
	// AnnotationFenced on a job was written so that nothing that a former scheduler may still have under way for it takes
	// effect. Its value says who wrote it and which version it replaced.
	AnnotationFenced = GroupName + "/fenced"

	// FinalizerHistory holds an object until its last transition is recorded in the history.
	FinalizerHistory = GroupName + "/history"
	// FinalizerJobs holds a cluster or a quota until no job has a reservation on or under it.
	FinalizerJobs = GroupName + "/jobs"
	// FinalizerNamespace holds a project until its namespace is gone.
	FinalizerNamespace = GroupName + "/namespace"

	// FinalizerAccess holds a user until nothing is granted and bound to them any more: a later user of the name has nothing.
	FinalizerAccess = GroupName + "/access"

	// SecretLabelValue is the value of LabelSecret on a secret that jobs may use.
	SecretLabelValue = "true"

	// ResourceGPU is the extended resource that stands for one whole GPU.
	ResourceGPU = "nvidia.com/gpu"
	// LabelGPUModel is the node label of NVIDIA's feature discovery that names the model of a node's GPUs.
	LabelGPUModel = "nvidia.com/gpu.product"
)

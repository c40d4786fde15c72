package v1alpha1

// Action is what one may do with what an address names. Actions are ordered: list < read < write < manage, and each
// includes those before it.
// +kubebuilder:validation:Enum=list;read;write;manage
type Action string

// The actions, from the least to the most.
const (
	// ActionList: one may know that it is there.
	ActionList Action = "list"
	// ActionRead: one may look at it: a job's status and logs, a file's contents.
	ActionRead Action = "read"
	// ActionWrite: one may make, change, use and remove it.
	ActionWrite Action = "write"
	// ActionManage: one may also let others.
	ActionManage Action = "manage"
)

// Address names something, and all that lies below it, for rights: `scheme://cluster/organization/project/path`. The schemes
// job, app, flow, disk, secret, project, storage, blob and image lie in projects; cluster://, role://, user:// and quota://
// are followed by a name. What is a Kubernetes object is addressed below the cluster `local`, which is the platform's own.
// Without `//` the rest is a path inside the project, or organization, that a role is held in: `job:train`, `storage:`.
// +kubebuilder:validation:MinLength=4
// +kubebuilder:validation:MaxLength=512
// +kubebuilder:validation:Pattern=`^(job|app|flow|disk|secret|project|storage|blob|image|cluster|role|user|quota):(//)?([^/%?#*\\\x00-\x20\x7f]+(/[^/%?#*\\\x00-\x20\x7f]+)*)?$`
// +kubebuilder:validation:XValidation:rule="!self.matches('[:/][.][.]?(/|$)')",message="an address has no segment '.' or '..'"
// +kubebuilder:validation:XValidation:rule="!self.matches('^(cluster|role|user|quota):([^/]|$)')",message="clusters, roles, users and quotas lie in no project: their addresses begin with '//'"
type Address string

// Permission is an action on what an address names and on all that lies below it.
type Permission struct {
	// uri is the address.
	// +required
	URI Address `json:"uri"`

	// action that is allowed there, and with it those that it includes.
	// +required
	Action Action `json:"action"`
}

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClusterPhase tells a person where a cluster is in its life.
// +kubebuilder:validation:Enum=Pending;Connected;Unreachable;Terminating
type ClusterPhase string

// The phases of a cluster.
const (
	// ClusterPending: the cluster was never reached.
	ClusterPending ClusterPhase = "Pending"
	// ClusterConnected: the cluster answers.
	ClusterConnected ClusterPhase = "Connected"
	// ClusterUnreachable: the cluster answered once and does not now.
	ClusterUnreachable ClusterPhase = "Unreachable"
	// ClusterTerminating: the cluster is being removed; its jobs are waited for.
	ClusterTerminating ClusterPhase = "Terminating"
)

// ClusterSpec is how a cluster is reached and what it offers.
// +kubebuilder:validation:XValidation:rule="has(self.prices) || !has(self.energy) || !(has(self.energy.pricePerKWh) || has(self.energy.schedules) && self.energy.schedules.exists(s, has(s.pricePerKWh)))",message="a price of energy is in the currency of the cluster's prices: give prices.currency",fieldPath=".energy"
type ClusterSpec struct {
	// description for people.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// kubeconfigSecret names the secret, in Soma's own namespace, with the kubeconfig by which the cluster is reached. Of
	// its current context only the server, its CA and a token or client certificate are taken. Without it the cluster is
	// reached as the manager itself, from within. A user of Soma's who sets or changes it needs manage on the cluster.
	// +optional
	KubeconfigSecret *KubeconfigSecret `json:"kubeconfigSecret,omitempty"`

	// presets are the sizes that a job may ask for by name. A job that asks for nothing gets the first.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=24
	Presets []Preset `json:"presets,omitempty"`

	// prices of resources that a job asks for without a preset.
	// +optional
	Prices *Prices `json:"prices,omitempty"`

	// energy is what the energy of the cluster costs, in money and in CO2, and when.
	// +optional
	Energy *Energy `json:"energy,omitempty"`

	// tolerations name the taints of nodes on which jobs may run in spite of the taint. The taint nvidia.com/gpu is always
	// tolerated by jobs with GPUs.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Tolerations []Toleration `json:"tolerations,omitempty"`

	// topology is the levels of the network by which nodes are near to each other or far, the widest first: for instance
	// blocks, racks and NVLink domains.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Topology []TopologyLevel `json:"topology,omitempty"`

	// quarantine says when a node on which jobs fail is kept from further ones for a while. It is where this is not given.
	// +optional
	Quarantine *Quarantine `json:"quarantine,omitempty"`

	// jobPages is where people see the pages that jobs serve. Without it jobs are reached from within their project alone.
	// +optional
	JobPages *JobPages `json:"jobPages,omitempty"`
}

// JobPages is where people see the pages that jobs serve: each on a host of its own below a domain. A proxy leads all of these hosts
// to Soma's gateway, which carries what is asked and answered, if no class of Ingresses is named.
// +kubebuilder:validation:XValidation:rule="has(self.ingressClassName) == has(self.annotations)",message="ingressClassName and annotations go together: annotations make the ingress controller of the class ask the gateway before each request (docs/pages.md); leave both out where the gateway carries"
type JobPages struct {
	// domain below which the hosts are, with a port where it is not that of https. It must have nothing else below it, and must not
	// be that of the gateway: pages are made by whoever runs jobs.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=189
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*(:[1-9][0-9]{0,4})?$`
	Domain string `json:"domain"`

	// ingressClassName is the class of the Ingress that each job with a page gets, so that the proxy carries what is asked and
	// answered, and the gateway what is meant to stay open alone. Without it no job gets one, and those that are there are removed.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	IngressClassName string `json:"ingressClassName,omitempty"`

	// annotations of the Ingress. One of them has to make the ingress controller ask the gateway before each request, or pages are
	// open to all who reach it: docs/pages.md has those for Traefik.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`
}

// AnnotationValue is the value of an annotation.
// +kubebuilder:validation:MaxLength=1024
type AnnotationValue string

// Quarantine says when a node on which jobs fail is kept from further ones for a while: by a taint, which jobs that run there
// do not mind. No more than a quarter of a pool's nodes is, or one, and never the last that can be used.
type Quarantine struct {
	// failedJobs is how many different jobs have to fail on a node by what lies with the node; 3 where it is not given. 0
	// switches the quarantine off.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	FailedJobs *int32 `json:"failedJobs,omitempty"`

	// windowSeconds is within which time they have to fail; 3600 where it is not given.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=604800
	WindowSeconds *int64 `json:"windowSeconds,omitempty"`

	// durationSeconds is after which time the node is tried again; 3600 where it is not given.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2592000
	DurationSeconds *int64 `json:"durationSeconds,omitempty"`
}

// TopologyLevel is a level of the network.
type TopologyLevel struct {
	// name by which jobs refer to the level, for instance "rack".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// nodeLabel whose value on a node names the domain that the node is in.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=316
	NodeLabel string `json:"nodeLabel"`
}

// KubeconfigSecret names a kubeconfig within a secret.
type KubeconfigSecret struct {
	// name of the secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// key of the kubeconfig in the secret; "kubeconfig" where it is not given.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key,omitempty"`
}

// Toleration lets jobs run on nodes with a taint.
type Toleration struct {
	// key of the taint.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`

	// value of the taint. Any value is tolerated where it is not given.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Value string `json:"value,omitempty"`

	// effect of the taint. Any effect is tolerated where it is not given.
	// +optional
	// +kubebuilder:validation:Enum=NoSchedule;PreferNoSchedule;NoExecute
	Effect string `json:"effect,omitempty"`
}

// ClusterStatus is what Soma found in the cluster.
type ClusterStatus struct {
	// observedGeneration is the generation of the spec that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// phase for people; programs read the conditions.
	// +optional
	Phase ClusterPhase `json:"phase,omitempty"`

	// kubernetesVersion of the cluster's API server.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`

	// pools found from the labels of the nodes, by name.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=24
	Pools []Pool `json:"pools,omitempty"`

	// capacity is what ready nodes can give to pods.
	// +optional
	Capacity *ResourceAmounts `json:"capacity,omitempty"`

	// used is what pods on these nodes have asked for, whoever made them.
	// +optional
	Used *ResourceAmounts `json:"used,omitempty"`

	// presets is how many jobs of each preset the nodes have room for. Quotas, and what is kept for jobs that wait, do not count
	// in it.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=24
	Presets []PresetRoom `json:"presets,omitempty"`

	// quarantine is the nodes that are kept from jobs, and those that were until lately, by name.
	// +optional
	// +listType=map
	// +listMapKey=node
	// +kubebuilder:validation:MaxItems=64
	Quarantine []QuarantinedNode `json:"quarantine,omitempty"`

	// conditions: Ready, Reconciling, Stalled, Reachable, HistoryAvailable, NodesQuarantined, EnergyUnknown.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// journal of the cluster's life.
	// +optional
	Journal Journal `json:"journal,omitempty,omitzero"`
}

// QuarantinedNode is a node that is kept from jobs, or was until lately.
type QuarantinedNode struct {
	// node name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Node string `json:"node"`

	// since when it is kept from jobs.
	// +required
	Since metav1.Time `json:"since"`

	// until when it is. A node that somebody keeps from jobs by hand has none.
	// +optional
	Until *metav1.Time `json:"until,omitempty"`

	// releasedTime is since when it takes jobs again, by itself or because somebody removed the taint. What failed before that
	// does not count any more.
	// +optional
	ReleasedTime *metav1.Time `json:"releasedTime,omitempty"`

	// message tells a person why.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
}

// Pool is a group of equal nodes.
type Pool struct {
	// name of the pool: the value of the label platform.soma.dev/pool of its nodes, or of their provider's own label for
	// node pools, or "default".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// nodes is the number of nodes in the pool.
	// +required
	// +kubebuilder:validation:Minimum=0
	Nodes int32 `json:"nodes"`

	// readyNodes is the number of nodes on which jobs can start: ready, not cordoned, with no taint that is not tolerated.
	// +required
	// +kubebuilder:validation:Minimum=0
	ReadyNodes int32 `json:"readyNodes"`

	// gpuModel of the nodes.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	GPUModel string `json:"gpuModel,omitempty"`

	// largestNode is what the largest node of the pool can give to pods: no replica can ask for more.
	// +optional
	LargestNode *ResourceAmounts `json:"largestNode,omitempty"`

	// capacity is what the pool's ready nodes can give to pods.
	// +optional
	Capacity *ResourceAmounts `json:"capacity,omitempty"`

	// used is what pods on these nodes have asked for.
	// +optional
	Used *ResourceAmounts `json:"used,omitempty"`
}

// Cluster is a Kubernetes cluster in which jobs run.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=scluster,categories=soma
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="GPUs",type=integer,JSONPath=`.status.capacity.gpus`
// +kubebuilder:printcolumn:name="Used GPUs",type=integer,JSONPath=`.status.used.gpus`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.kubernetesVersion`
// +kubebuilder:printcolumn:name="CPU",type=string,JSONPath=`.status.capacity.cpu`,priority=1
// +kubebuilder:printcolumn:name="Memory",type=string,JSONPath=`.status.capacity.memory`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 48",message="a cluster's name has at most 48 characters"
type Cluster struct {
	metav1.TypeMeta `json:",inline"`
	// metadata of the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec is how the cluster is reached and what it offers.
	// +optional
	Spec ClusterSpec `json:"spec,omitempty,omitzero"`

	// status is what Soma found in the cluster.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status ClusterStatus `json:"status,omitempty,omitzero"`
}

// ClusterList is a list of clusters.
//
// +kubebuilder:object:root=true
type ClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Cluster `json:"items"`
}

// GetConditions returns the conditions of the cluster, for helpers that work on any kind.
func (c *Cluster) GetConditions() *[]metav1.Condition { return &c.Status.Conditions }

// GetJournal returns the journal of the cluster.
func (c *Cluster) GetJournal() *Journal { return &c.Status.Journal }

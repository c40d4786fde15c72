package v1alpha1

// Condition types that every kind has. Together with observedGeneration they are what kstatus, `kubectl wait`
// and Argo CD read: an object is settled when Ready is True, still being worked on while Reconciling is True, and
// needs a person when Stalled is True. Reconciling and Stalled are removed when they do not hold.
const (
	// ConditionReady summarises an object: it is what its spec asks for.
	ConditionReady = "Ready"
	// ConditionReconciling is True while Soma works towards the spec.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True when Soma cannot go on unless a person changes something.
	ConditionStalled = "Stalled"
)

// Reasons that conditions of more than one kind share.
const (
	// ReasonProgressing: the controller is at work; no person is needed.
	ReasonProgressing = "Progressing"
	// ReasonTerminating: the object is being deleted; the message says what it still waits for.
	ReasonTerminating = "Terminating"
	// ReasonAvailable: the object is what its spec asks for.
	ReasonAvailable = "Available"
	// ReasonError: a call failed and is tried again; the message has the error.
	ReasonError = "ReconcileError"
)

// Conditions and reasons of a Project.
const (
	// ConditionNamespaceReady is True when the project's namespace exists, is owned by it and carries its policies.
	ConditionNamespaceReady = "NamespaceReady"
	// ConditionQuotaFound is True when the quota that the project points at exists: without it nothing may run.
	ConditionQuotaFound = "QuotaFound"

	// ConditionAccessBound is True once what users, roles and grants allow in the project's namespace has been told to Kubernetes for
	// the first time: who had rights in the project when it was made can use them. Later changes do not make it False. Ready
	// depends on it.
	ConditionAccessBound = "AccessBound"

	// ConditionAccessIncomplete is True while what users, roles and grants allow in the project cannot be said to Kubernetes as a
	// whole; the message names what is in the way. Otherwise it is not there. Ready does not depend on it.
	ConditionAccessIncomplete = "AccessIncomplete"

	// ReasonObjectForeign: an object of RBAC has the name of one that Soma would make, and Soma did not make it.
	ReasonObjectForeign = "ObjectForeign"
	// ReasonNamespaceForeign: a namespace with the project's name exists and was not made by this project.
	ReasonNamespaceForeign = "NamespaceForeign"
	// ReasonQuotaNotSet: the project names no quota, so nothing may run in it.
	ReasonQuotaNotSet = "QuotaNotSet"
	// ReasonQuotaNotFound: the quota that the project names does not exist.
	ReasonQuotaNotFound = "QuotaNotFound"
)

// Conditions and reasons of a Cluster.
const (
	// ConditionReachable is True while the cluster's API server answers.
	ConditionReachable = "Reachable"

	// ReasonKubeconfigMissing: the secret or its key does not exist.
	ReasonKubeconfigMissing = "KubeconfigMissing"
	// ReasonKubeconfigInvalid: the kubeconfig cannot be read, or asks for something other than a server, a CA and a
	// token or client certificate.
	ReasonKubeconfigInvalid = "KubeconfigInvalid"
	// ReasonForeignCluster: the kubeconfig leads to a cluster other than the one that Soma runs in.
	ReasonForeignCluster = "ForeignCluster"
	// ReasonUnreachable: the API server did not answer.
	ReasonUnreachable = "Unreachable"

	// ConditionHistoryAvailable is True while what happens is recorded in the history. While it is not, jobs go on and
	// nothing of them is lost; the message says since when, and how many objects wait. Ready does not depend on it.
	ConditionHistoryAvailable = "HistoryAvailable"

	// ConditionNodesQuarantined is True while nodes are kept from jobs because jobs failed on them; the message names them.
	// Otherwise it is not there. Ready does not depend on it.
	ConditionNodesQuarantined = "NodesQuarantined"

	// ReasonJobsFail: several different jobs failed on a node.
	ReasonJobsFail = "JobsFail"

	// ConditionEnergyUnknown is True while nobody can tell when the cluster's energy schedules are open: jobs that are bound to
	// them do not start, and what runs goes on. Otherwise it is not there. Ready does not depend on it.
	ConditionEnergyUnknown = "EnergyUnknown"

	// ReasonTimeZoneUnknown: there is no time zone of the name in spec.energy.timeZone.
	ReasonTimeZoneUnknown = "TimeZoneUnknown"

	// ReasonHistoryRecording: what happens is recorded.
	ReasonHistoryRecording = "Recording"
	// ReasonHistoryAway: the history's database does not answer, or does not take what it is given.
	ReasonHistoryAway = "HistoryAway"
	// ReasonHistoryMigrating: the history's database is being brought up to date, after Soma was.
	ReasonHistoryMigrating = "HistoryMigrating"
)

// Conditions and reasons of a Quota.
const (
	// ConditionExceeded is True while more is reserved than the quota grants, as after it was lowered. What runs goes on;
	// nothing new is started.
	ConditionExceeded = "Exceeded"

	// ConditionBudgetWarning is True while of some budget so much is used that it warns, and it is not used up. Quotas without
	// budgets do not have it.
	ConditionBudgetWarning = "BudgetWarning"
	// ConditionBudgetExhausted is True while a budget is used up; the message names it and says when it is renewed. Quotas
	// without budgets do not have it.
	ConditionBudgetExhausted = "BudgetExhausted"

	// ReasonParentNotFound: a quota above this one, or its parent, does not exist: nothing starts under it.
	ReasonParentNotFound = "ParentNotFound"
	// ReasonParentCircle: the parents go in a circle: nothing starts under it.
	ReasonParentCircle = "ParentCircle"

	// ReasonWithinBudgets: no budget is used up, or warns.
	ReasonWithinBudgets = "WithinBudgets"
	// ReasonThresholdReached: so much of a budget is used that it warns.
	ReasonThresholdReached = "ThresholdReached"
	// ReasonUsedUp: a budget is used up.
	ReasonUsedUp = "UsedUp"

	// ReasonWithinLimits: no more is reserved than granted.
	ReasonWithinLimits = "WithinLimits"
	// ReasonLimitsExceeded: more is reserved than granted.
	ReasonLimitsExceeded = "LimitsExceeded"
)

// Reasons of a Role, a User and a Grant.
const (
	// ReasonRoleNotFound: a role that is named does not exist.
	ReasonRoleNotFound = "RoleNotFound"
	// ReasonRoleCircle: a role includes itself over others. What it and they give counts, once.
	ReasonRoleCircle = "RoleCircle"
	// ReasonIdentityShared: another user has an identity of this one, so that neither can sign in by it.
	ReasonIdentityShared = "IdentityShared"
	// ReasonOwnerInactive: who answers for a service account does not exist, is no person, or is disabled: it may do nothing.
	ReasonOwnerInactive = "OwnerInactive"
	// ReasonDisabled: the user is disabled, as the spec asks for, and may do nothing.
	ReasonDisabled = "Disabled"
	// ReasonUserNotFound: the user who is given a right does not exist.
	ReasonUserNotFound = "UserNotFound"
	// ReasonProjectNotFound: a grant lies in the namespace of no project.
	ReasonProjectNotFound = "ProjectNotFound"
	// ReasonGivesNothing: nothing of what a grant names lies in its project.
	ReasonGivesNothing = "GivesNothing"
	// ReasonThingNotFound: the job or secret that a grant names does not exist. When it does, the grant counts for it.
	ReasonThingNotFound = "ThingNotFound"
	// ReasonExpired: a grant has ended. A day later it is removed.
	ReasonExpired = "Expired"
)

// Conditions of a Job.
const (
	// ConditionReserved is True while the job holds a reservation of quota and nodes.
	ConditionReserved = "Reserved"
	// ConditionComplete is True once the job ended with success. `kubectl wait --for=condition=Complete` reads it.
	ConditionComplete = "Complete"
	// ConditionFailed is True once the job ended without success, by failure or because it was cancelled.
	ConditionFailed = "Failed"
)

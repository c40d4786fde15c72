package workload

import (
	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// Category is what an attempt failed of that ended for the reason.
func Category(reason platformv1.JobReason) platformv1.FailureCategory {
	switch reason {
	case platformv1.JobReasonError:
		return platformv1.FailureExitCode
	case platformv1.JobReasonOOMKilled:
		return platformv1.FailureOutOfMemory
	case platformv1.JobReasonScratchExceeded:
		return platformv1.FailureOutOfScratch
	case platformv1.JobReasonImagePullBackOff, platformv1.JobReasonImageNotFound, platformv1.JobReasonImageUnauthorized,
		platformv1.JobReasonInvalidImageName:
		return platformv1.FailureImage
	case platformv1.JobReasonCollected, platformv1.JobReasonNotFound:
		return platformv1.FailureRemoved
	case platformv1.JobReasonEvicted:
		return platformv1.FailureEvicted
	case platformv1.JobReasonNodeLost:
		return platformv1.FailureNodeLost
	case platformv1.JobReasonGPULost:
		return platformv1.FailureGPULost
	case platformv1.JobReasonPreempted:
		return platformv1.FailurePreempted
	}
	return platformv1.FailureCommand
}

// NotItsDoing reports whether failures of the category are not the job's own doing.
func NotItsDoing(category platformv1.FailureCategory) bool {
	switch category {
	case platformv1.FailureEvicted, platformv1.FailureNodeLost, platformv1.FailureGPULost, platformv1.FailurePreempted:
		return true
	}
	return false
}

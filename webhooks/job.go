package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

// maxUserName is the longest user name that an object can record.
const maxUserName = 253

// jobAdmission records who submitted a job and who cancelled it, and sees to it that a job stays until its history is
// written.
type jobAdmission struct {
	*reviewer
	// recorder is the user that the recorder acts as.
	recorder string
}

// Handle answers one request of the API server.
func (a *jobAdmission) Handle(_ context.Context, request admission.Request) admission.Response {
	before, job, err := read[platformv1.Job](a.decoder, request)
	if err != nil {
		return respond(err)
	}
	if request.Operation == admissionv1.Update && request.UserInfo.Username == a.recorder {
		recordChange(before, job, a.recorder)
		return patched(request, job)
	}
	var by submission
	err = a.look(request.UserInfo, func(f facts) error {
		by = f.submission(request.Namespace, job.Spec.SubmittedBy)
		return nil
	})
	if err != nil {
		return respond(err)
	}
	if request.Operation == admissionv1.Create {
		recordSubmission(job, by)
		disownFields(job)
	} else {
		recordChange(before, job, by.asker)
		hold(before, job)
	}
	return patched(request, job)
}

// patched is the answer that changes the object of a request into another.
func patched(request admission.Request, object any) admission.Response {
	changed, err := json.Marshal(object)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, fmt.Errorf("write the object: %w", err))
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, changed)
}

// submission is who submits a job: who asks, and for whom.
type submission struct{ asker, by, through string }

// submission finds for whom who asks submits a job. That is another, whom the job names, where that one lets them, and may
// run jobs in the project; otherwise it is who asks, whatever the job says.
func (f facts) submission(project, claimed string) submission {
	own := submission{asker: f.asker.name, by: f.asker.name}
	other := f.directory.User(claimed)
	if !f.asker.ours() || other == nil || claimed == f.asker.user || !f.directory.Active(claimed) ||
		!slices.Contains(other.Spec.Delegates, f.asker.user) {
		return own
	}
	facts, found := f.directory.Project(project)
	if !found || !f.trees(claimed).Allows(access.In(access.Job, access.Home, facts.Organization, project), access.Write) {
		return own
	}
	return submission{asker: f.asker.name, by: claimed, through: f.asker.name}
}

// recordSubmission replaces whatever a new job says of its submitter.
func recordSubmission(job *platformv1.Job, by submission) {
	job.Spec.SubmittedBy, job.Spec.SubmittedThrough, job.Spec.CancelledBy = by.by, by.through, ""
	if job.Spec.CancelRequested() {
		job.Spec.CancelledBy = by.asker
	}
	if !slices.Contains(job.Finalizers, platformv1.FinalizerHistory) {
		job.Finalizers = append(job.Finalizers, platformv1.FinalizerHistory)
	}
}

// disownFields takes out which fields who submits the job has set, unless it is applied on the server's side. The API server
// keeps no such book for an object that has none until somebody applies it so, and half of a job would be that book, to be
// read and written anew with each of its transitions.
func disownFields(job *platformv1.Job) {
	for i := range job.ManagedFields {
		if job.ManagedFields[i].Operation == metav1.ManagedFieldsOperationApply {
			return
		}
	}
	job.ManagedFields = nil
}

// recordChange keeps what was recorded, and records who cancels the job with this change. A submitter who is missing from
// the new object (a manifest is applied again) is filled in; another one is left for the schema to refuse.
func recordChange(before, job *platformv1.Job, user string) {
	if job.Spec.SubmittedBy == "" {
		job.Spec.SubmittedBy = before.Spec.SubmittedBy
	}
	if job.Spec.SubmittedThrough == "" {
		job.Spec.SubmittedThrough = before.Spec.SubmittedThrough
	}
	job.Spec.CancelledBy = before.Spec.CancelledBy
	if job.Spec.CancelRequested() && !before.Spec.CancelRequested() {
		job.Spec.CancelledBy = user
	}
}

// hold puts back what keeps a job until its history is written, where it was taken off. Who may change a job is not thereby
// let to make its end be forgotten.
func hold(before, job *platformv1.Job) {
	if slices.Contains(before.Finalizers, platformv1.FinalizerHistory) && !slices.Contains(job.Finalizers, platformv1.FinalizerHistory) {
		job.Finalizers = append(job.Finalizers, platformv1.FinalizerHistory)
	}
}

// Package webhooks holds the admission that needs to know who is asking. Rules on the fields themselves are in the
// schemas, where they hold without any process of ours.
package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// JobPath is where the API server calls the admission of jobs.
const JobPath = "/mutate-job"

// maxUserName is the longest user name that a job can record.
const maxUserName = 253

// SetupWithManager registers the webhooks. The recorder acts as the user that is named: nobody else takes a job from the
// history.
func SetupWithManager(mgr ctrl.Manager, recorder string) {
	handler := &jobAdmission{decoder: admission.NewDecoder(mgr.GetScheme()), recorder: recorder}
	mgr.GetWebhookServer().Register(JobPath, &admission.Webhook{Handler: handler, RecoverPanic: new(true)})
}

// jobAdmission records who submitted a job and who cancelled it, and sees to it that a job stays until its history is
// written.
type jobAdmission struct {
	decoder admission.Decoder
	// recorder is the user that the recorder acts as.
	recorder string
}

// Handle answers one request of the API server.
func (a *jobAdmission) Handle(_ context.Context, request admission.Request) admission.Response {
	job, before := &platformv1.Job{}, &platformv1.Job{}
	if err := a.decoder.Decode(request, job); err != nil {
		return unreadable(request, job, err)
	}
	if request.Operation == admissionv1.Update {
		if err := a.decoder.DecodeRaw(request.OldObject, before); err != nil {
			return admission.Errored(http.StatusBadRequest, fmt.Errorf("read the job as it was: %w", err))
		}
	}
	user := request.UserInfo.Username
	if len(user) > maxUserName {
		return admission.Denied(fmt.Sprintf("the user name has %d characters; a job can record %d", len(user), maxUserName))
	}
	if request.Operation == admissionv1.Create {
		recordSubmission(job, user)
		disownFields(job)
	} else {
		recordChange(before, job, user)
		if user != a.recorder {
			hold(before, job)
		}
	}
	changed, err := json.Marshal(job)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, fmt.Errorf("write the job: %w", err))
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, changed)
}

// recordSubmission replaces whatever a new job says of its submitter.
func recordSubmission(job *platformv1.Job, user string) {
	job.Spec.SubmittedBy, job.Spec.CancelledBy = user, ""
	if job.Spec.CancelRequested() {
		job.Spec.CancelledBy = user
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

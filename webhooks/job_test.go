package webhooks

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

func TestRecordSubmission(t *testing.T) {
	yes := true
	tests := map[string]struct {
		spec          platformv1.JobSpec
		wantCancelled string
	}{
		"plain":                          {},
		"a forged submitter is replaced": {spec: platformv1.JobSpec{SubmittedBy: "mallory", CancelledBy: "mallory"}},
		"cancelled from the start":       {spec: platformv1.JobSpec{Cancel: &yes}, wantCancelled: "carol"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			job := &platformv1.Job{Spec: tc.spec}
			recordSubmission(job, submission{asker: "carol", by: "carol"})
			if job.Spec.SubmittedBy != "carol" || job.Spec.CancelledBy != tc.wantCancelled {
				t.Errorf("submitted by %q, cancelled by %q; want carol, %q", job.Spec.SubmittedBy, job.Spec.CancelledBy, tc.wantCancelled)
			}
			if !slices.Contains(job.Finalizers, platformv1.FinalizerHistory) {
				t.Error("the job is not held for its history")
			}
		})
	}
}

func TestRecordChange(t *testing.T) {
	yes := true
	submitted := platformv1.JobSpec{SubmittedBy: "carol"}
	cancelled := platformv1.JobSpec{SubmittedBy: "carol", Cancel: &yes, CancelledBy: "carol"}
	tests := map[string]struct {
		before, after, want platformv1.JobSpec
	}{
		"nothing of it":                            {submitted, submitted, submitted},
		"applied without submitter":                {submitted, platformv1.JobSpec{}, submitted},
		"another submitter is left for the schema": {submitted, platformv1.JobSpec{SubmittedBy: "dave"}, platformv1.JobSpec{SubmittedBy: "dave"}},
		"cancelled": {submitted, platformv1.JobSpec{SubmittedBy: "carol", Cancel: &yes, CancelledBy: "mallory"},
			platformv1.JobSpec{SubmittedBy: "carol", Cancel: &yes, CancelledBy: "dave"}},
		"was cancelled before": {cancelled, platformv1.JobSpec{SubmittedBy: "carol", Cancel: &yes, CancelledBy: "mallory"}, cancelled},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			before, after := &platformv1.Job{Spec: tc.before}, &platformv1.Job{Spec: tc.after}
			recordChange(before, after, "dave")
			if after.Spec.SubmittedBy != tc.want.SubmittedBy || after.Spec.CancelledBy != tc.want.CancelledBy {
				t.Errorf("got %+v, want %+v", after.Spec, tc.want)
			}
		})
	}
}

// Nobody but the recorder takes off what holds a job until its history is written.
func TestJobStaysHeld(t *testing.T) {
	const recorder = "system:serviceaccount:soma-system:soma-manager"
	const other = "example.org/other"
	tests := map[string]struct {
		user          string
		before, after []string
		want          []string
	}{
		"an editor takes all off":          {user: "dave", before: []string{other, platformv1.FinalizerHistory}, want: []string{platformv1.FinalizerHistory}},
		"an editor takes another off":      {user: "dave", before: []string{other, platformv1.FinalizerHistory}, after: []string{platformv1.FinalizerHistory}, want: []string{platformv1.FinalizerHistory}},
		"an editor adds one":               {user: "dave", before: []string{platformv1.FinalizerHistory}, after: []string{platformv1.FinalizerHistory, other}, want: []string{platformv1.FinalizerHistory, other}},
		"the recorder lets go":             {user: recorder, before: []string{platformv1.FinalizerHistory}},
		"after the recorder has let it go": {user: "dave", before: []string{other}},
	}
	scheme := runtime.NewScheme()
	if err := platformv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	handler := &jobAdmission{reviewer: &reviewer{decoder: admission.NewDecoder(scheme), authority: synced(t)}, recorder: recorder}
	raw := func(finalizers []string) runtime.RawExtension {
		t.Helper()
		text, err := json.Marshal(&platformv1.Job{
			TypeMeta:   metav1.TypeMeta{APIVersion: platformv1.GroupVersion.String(), Kind: "Job"},
			ObjectMeta: metav1.ObjectMeta{Name: "train", Finalizers: finalizers},
		})
		if err != nil {
			t.Fatal(err)
		}
		return runtime.RawExtension{Raw: text}
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			response := handler.Handle(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
				Operation: admissionv1.Update, UserInfo: authenticationv1.UserInfo{Username: tc.user}, OldObject: raw(tc.before), Object: raw(tc.after),
			}})
			if !response.Allowed {
				t.Fatalf("refused: %v", response.Result)
			}
			got := tc.after
			for _, operation := range response.Patches {
				if !strings.HasPrefix(operation.Path, "/metadata/finalizers") {
					continue
				}
				switch value := operation.Value.(type) {
				case []any:
					got = nil
					for _, finalizer := range value {
						got = append(got, finalizer.(string))
					}
				case string:
					got = append(slices.Clone(got), value)
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("finalizers %v after %v, want %v", got, response.Patches, tc.want)
			}
		})
	}
}

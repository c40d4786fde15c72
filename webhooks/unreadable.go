package webhooks

import (
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/soma-platform/soma/internal/platform/misfit"
)

// unreadable is the answer to an object that cannot be decoded: the schema would refuse it as well, but is asked later. It is told
// with the fields, as the schema does.
func unreadable(request admission.Request, object any, err error) admission.Response {
	misfits := misfit.Find(request.Object.Raw, object)
	if len(misfits) == 0 {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("read the object: %w", err))
	}
	kind := schema.GroupKind{Group: request.Kind.Group, Kind: request.Kind.Kind}
	status := apierrors.NewInvalid(kind, request.Name, misfits).Status()
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Result: &status}}
}

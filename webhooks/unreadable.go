package webhooks

import (
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/soma-platform/soma/internal/platform/misfit"
)

// unreadable is the refusal of an object that cannot be decoded: the schema would refuse it as well, but is asked later. It is told
// with the fields, as the schema does.
func unreadable(request admission.Request, object any, err error) error {
	misfits := misfit.Find(request.Object.Raw, object)
	if len(misfits) == 0 {
		return &refusal{code: http.StatusBadRequest, reason: metav1.StatusReasonBadRequest, text: fmt.Sprintf("read the object: %v", err)}
	}
	kind := schema.GroupKind{Group: request.Kind.Group, Kind: request.Kind.Kind}
	status := apierrors.NewInvalid(kind, request.Name, misfits).Status()
	return &refusal{code: status.Code, reason: status.Reason, text: status.Message, details: status.Details}
}

package webhooks

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/soma-platform/soma/internal/access"
)

const (
	// maxText bounds what is answered: names and addresses in it come from outside.
	maxText = 4096
	// maxPairs is how many missing rights an answer lists.
	maxPairs = 16
)

// refusal is a no to who asks, with the code and the reason that the API server would give.
type refusal struct {
	code    int32
	reason  metav1.StatusReason
	text    string
	details *metav1.StatusDetails
}

func (r *refusal) Error() string { return r.text }

func invalid(format string, args ...any) error {
	return &refusal{code: http.StatusUnprocessableEntity, reason: metav1.StatusReasonInvalid, text: fmt.Sprintf(format, args...)}
}

func forbidden(format string, args ...any) error {
	return &refusal{code: http.StatusForbidden, reason: metav1.StatusReasonForbidden, text: fmt.Sprintf(format, args...)}
}

// errNotSynced is the answer while it is not known who may do what.
var errNotSynced = &refusal{
	code: http.StatusServiceUnavailable, reason: metav1.StatusReasonServiceUnavailable,
	text: "Soma has just started and does not know yet who may do what: try again in a few seconds",
}

// problems gathers what is wrong with an object, each with its field and the rule.
type problems []string

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, field+": "+fmt.Sprintf(format, args...))
}

func (p *problems) err() error {
	if len(*p) == 0 {
		return nil
	}
	return invalid("%s", strings.Join(*p, "; "))
}

// lacking is the answer to whom a level on the targets is missing, and says for what it is needed.
func lacking(level access.Level, targets []access.Target, purpose string) error {
	pairs := make([]string, 0, len(targets))
	for _, target := range targets {
		pairs = append(pairs, fmt.Sprintf("%s on %s", level.Action(), target))
	}
	slices.Sort(pairs)
	pairs = slices.Compact(pairs)
	more := ""
	if rest := len(pairs) - maxPairs; rest > 0 {
		pairs, more = pairs[:maxPairs], fmt.Sprintf(" and %d more", rest)
	}
	return forbidden("you lack %s%s: %s", strings.Join(pairs, ", "), more, purpose)
}

// respond is the answer of a webhook that only checks.
func respond(err error) admission.Response {
	if err == nil {
		return admission.Allowed("")
	}
	var no *refusal
	if !errors.As(err, &no) {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	text := no.text
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{
		Result: &metav1.Status{Status: metav1.StatusFailure, Code: no.code, Reason: no.reason, Message: text, Details: no.details},
	}}
}

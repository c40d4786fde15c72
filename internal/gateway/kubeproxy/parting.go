package kubeproxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// partingTime is how long a watch that is cut has for its last event. A client that takes none is cut off then.
const partingTime = time.Second

// parting is the event by which who watches is told why that ends, as an API server would. Informers list anew then, and learn whether
// they still may. It is none where the gateway stops, and the watch goes on elsewhere.
func parting(cause error) []byte {
	code, reason := http.StatusForbidden, metav1.StatusReasonForbidden
	switch {
	case errors.Is(cause, errChanged):
		code, reason = http.StatusGone, metav1.StatusReasonExpired
	case errors.Is(cause, errExpired):
		code, reason = http.StatusUnauthorized, metav1.StatusReasonUnauthorized
	case !errors.Is(cause, errRevoked):
		return nil
	}
	status := metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Code: int32(code), Reason: reason, Message: "the watch ends here: " + cause.Error(),
	}
	line, err := json.Marshal(map[string]any{"type": "ERROR", "object": status})
	if err != nil {
		return nil
	}
	return append(line, '\n')
}

// parted is the body of a watch as JSON, an event a line, that ends well where the watch is cut between two events.
type parted struct {
	io.ReadCloser
	context context.Context // of the watch
	within  bool            // an event
	last    *bytes.Reader
}

// partedOf is the body of an answer, which ends well where it is that of a watch that is cut.
func (x *exchange) partedOf(response *http.Response) io.ReadCloser {
	if x.attributes.Verb != "watch" || response.StatusCode != http.StatusOK || !plainJSON(response) {
		return response.Body
	}
	return &parted{ReadCloser: response.Body, context: x.context}
}

// Read reads on.
func (p *parted) Read(into []byte) (int, error) {
	if p.last != nil {
		return p.last.Read(into)
	}
	n, err := p.ReadCloser.Read(into)
	if n > 0 {
		p.within = into[n-1] != '\n'
	}
	if n > 0 || err == nil || p.within || p.context.Err() == nil {
		return n, err
	}
	p.last = bytes.NewReader(parting(context.Cause(p.context)))
	return p.last.Read(into)
}

package lease

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// An API server that takes its time over a write gives it up when the lease is over, also where it never hears that the
// writer has.
func TestServerGivesUp(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("an API server is needed: set KUBEBUILDER_ASSETS to the folder of etcd and kube-apiserver (`make up` makes .soma/bin)")
	}
	environment := &envtest.Environment{}
	config, err := environment.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error(err)
		}
	})
	plain, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	slow(t, plain)

	g := &Guard{Clock: clock.RealClock{}}
	api := rest.CopyConfig(config)
	// Nobody on this side ends a request. What fails on its way is cut by the API server: so it gives up an answer that it
	// had begun when its time was over.
	var cut error
	api.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return g.Wrap(way(func(r *http.Request) (response *http.Response, err error) {
			response, cut = next.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
			return response, cut
		}))
	})
	writer, err := client.New(api, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	object := &corev1.Node{}
	// Until the API server knows that it has to ask, writes pass.
	err = wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		object = &corev1.Node{ObjectMeta: metav1.ObjectMeta{GenerateName: "slow-", Labels: map[string]string{"try": fmt.Sprint(time.Now().UnixNano())}}}
		g.hold(time.Now(), 1250*time.Millisecond, 0)
		cut = nil
		err := writer.Create(ctx, object)
		if apierrors.IsTimeout(err) || cut != nil {
			return true, nil
		}
		return false, err
	})
	if err != nil {
		t.Fatalf("the API server does not give up: %v", err)
	}
	left := &corev1.NodeList{}
	if err := plain.List(t.Context(), left, client.MatchingLabels(object.Labels)); err != nil || len(left.Items) > 0 {
		t.Errorf("a write that was given up took effect: %d objects, %v", len(left.Items), err)
	}
}

// slow makes the API server wait for an answer that never comes before it makes a node. That it need not have one, it
// would find out after 30 s.
func slow(t *testing.T, c client.Client) {
	t.Helper()
	over := make(chan struct{})
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then it is noticed when the other side goes
		select {
		case <-r.Context().Done():
		case <-over:
		}
	}))
	t.Cleanup(func() {
		close(over)
		server.Close()
	})
	err := c.Create(t.Context(), &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "slow"},
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name: "slow.example.com",
			ClientConfig: admissionv1.WebhookClientConfig{
				URL:      &server.URL,
				CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.Create},
				Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"nodes"}},
			}},
			FailurePolicy: ptr.To(admissionv1.Ignore), SideEffects: ptr.To(admissionv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"}, TimeoutSeconds: ptr.To(int32(30)),
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

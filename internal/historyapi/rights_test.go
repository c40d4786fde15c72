package historyapi

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/cert"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/soma-platform/soma/api/history/v1alpha1"
	platform "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/history"
	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/testing/postgres"
)

// The cluster's own roles decide who reads which records, and a database that is away is told with its time.
func TestRolesDecideWhoReads(t *testing.T) {
	cluster, err := apiserver.Start(apiserver.Options{Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	database, err := postgres.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = database.Close() })
	store := fill(t, database)
	go store.KeepProbing(t.Context())
	c := caller{base: serve(t, cluster, store) + "/apis/history.soma.dev/v1alpha1"}

	reader := rbacv1.PolicyRule{APIGroups: []string{api.GroupName}, Resources: []string{"jobrecords"}, Verbs: []string{"get", "list"}}
	mustCreate(t, cluster, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "vision"}})
	mustCreate(t, cluster, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "speech"}})
	mustCreate(t, cluster, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "reader"}, Rules: []rbacv1.PolicyRule{reader}})
	role := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "reader"}
	account := func(name string) []rbacv1.Subject {
		return []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "vision", Name: name}}
	}
	mustCreate(t, cluster, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: "ada"}, RoleRef: role, Subjects: account("ada")})
	mustCreate(t, cluster, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "auditor"}, RoleRef: role, Subjects: account("auditor")})
	ada, auditor, stranger := tokenOf(t, cluster, "ada"), tokenOf(t, cluster, "auditor"), tokenOf(t, cluster, "stranger")

	const forbidden, missing = "403", "404"
	inVision, inSpeech := recordName("vision"), recordName("speech")
	tests := map[string]struct {
		token, path, want string
	}{
		"her project":                             {ada, "/namespaces/vision/jobrecords", "vision/train"},
		"another project":                         {ada, "/namespaces/speech/jobrecords", forbidden},
		"all projects":                            {ada, "/jobrecords", forbidden},
		"one record":                              {ada, "/namespaces/vision/jobrecords/" + inVision, "vision/train"},
		"one record of another project":           {ada, "/namespaces/speech/jobrecords/" + inSpeech, forbidden},
		"another project's record through hers":   {ada, "/namespaces/vision/jobrecords/" + inSpeech, missing},
		"another project's records through hers":  {ada, "/namespaces/vision/jobrecords?fieldSelector=metadata.namespace%3Dspeech", ""},
		"who has no right":                        {stranger, "/namespaces/vision/jobrecords", forbidden},
		"nobody":                                  {"", "/namespaces/vision/jobrecords", forbidden},
		"who may read everything":                 {auditor, "/jobrecords", "speech/train vision/train"},
		"who may read everything, of one project": {auditor, "/namespaces/speech/jobrecords", "speech/train"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { c.eventually(t, test.token, test.path, test.want) })
	}

	if err := database.Down(); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	c.eventually(t, ada, "/namespaces/vision/jobrecords", "503")
	_, body, err := c.get(t.Context(), ada, "/namespaces/vision/jobrecords")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(body, "the history is away since ")
	since, err := time.Parse(time.RFC3339, strings.SplitN(text, ";", 2)[0])
	if !found || err != nil || since.Sub(before).Abs() > 10*time.Second {
		t.Errorf("the database is away since %s, the answer is %s", before, body)
	}
}

// jobUID is that of the one job of a namespace.
func jobUID(namespace string) types.UID {
	return types.UID(uuid.NewSHA1(uuid.NameSpaceDNS, []byte(namespace)).String())
}

func recordName(namespace string) string { return api.RecordName("train", jobUID(namespace)) }

// fill makes a history of one job in each of two namespaces.
func fill(t *testing.T, database *postgres.Server) *history.Store {
	t.Helper()
	url, err := database.Database(t.Context(), "history")
	if err != nil {
		t.Fatal(err)
	}
	store, err := history.Open(t.Context(), url, clock.RealClock{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var entries []history.Entry
	for _, namespace := range []string{"vision", "speech"} {
		job := &platform.Job{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "train", UID: jobUID(namespace), CreationTimestamp: metav1.Now()},
			Spec:       platform.JobSpec{Image: "trainer:1", SubmittedBy: "ada"},
			Status:     platform.JobStatus{Phase: platform.JobRunning},
		}
		job.Status.Journal.Append(platform.Transition{Time: metav1.NowMicro(), Phase: "Running"})
		entry, err := history.EntryOf(history.KindJob, job)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry)
	}
	if _, err := store.Record(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	return store
}

// serve runs the history's server, that asks the cluster about its callers, and returns its address.
func serve(t *testing.T, cluster *apiserver.Server, store *history.Store) string {
	t.Helper()
	folder := t.TempDir()
	certificate, key, err := cert.GenerateSelfSignedCertKey("127.0.0.1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) string {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	options := Options{
		BindAddress: net.IPv4(127, 0, 0, 1), Port: port, CertFile: write("tls.crt", certificate), KeyFile: write("tls.key", key),
		Kubeconfig: write("kubeconfig", cluster.Kubeconfig),
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, options, store, clock.RealClock{}) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return fmt.Sprintf("https://127.0.0.1:%d", port)
}

func mustCreate(t *testing.T, cluster *apiserver.Server, object client.Object) {
	t.Helper()
	if err := cluster.Client.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// tokenOf is that of a new service account.
func tokenOf(t *testing.T, cluster *apiserver.Server, name string) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: name}}
	mustCreate(t, cluster, account)
	request := &authenticationv1.TokenRequest{}
	if err := cluster.Client.SubResource("token").Create(t.Context(), account, request); err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

// caller asks the history's server.
type caller struct{ base string }

func (c caller) get(ctx context.Context, token, path string) (code int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	// The certificate is signed by nobody: it is the caller who is examined here.
	anybody := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	response, err := anybody.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

// eventually asks until the answer is as wanted: a code, or the jobs of the records. A right that was just given is known a
// moment later; who has none must never see more than wanted.
func (c caller) eventually(t *testing.T, token, path, want string) {
	t.Helper()
	got := ""
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		code, body, err := c.get(ctx, token, path)
		switch {
		case err != nil:
			got = err.Error() // the server is starting
		case code != http.StatusOK:
			got = fmt.Sprint(code)
		default:
			got, err = jobsIn(body)
			return got == want, err
		}
		return got == want, nil
	})
	if err != nil {
		t.Fatalf("GET %s: want %q, got %q: %v", path, want, got, err)
	}
}

// jobsIn are the namespaces and names of the jobs whose records an answer holds, in order.
func jobsIn(body string) (string, error) {
	var answer struct {
		api.JobRecord `json:",inline"`
		Items         *[]api.JobRecord `json:"items"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return "", err
	}
	records := []api.JobRecord{answer.JobRecord}
	if answer.Items != nil {
		records = *answer.Items
	}
	var jobs []string
	for i := range records {
		jobs = append(jobs, records[i].Namespace+"/"+records[i].Spec.Job)
	}
	slices.Sort(jobs)
	return strings.Join(jobs, " "), nil
}

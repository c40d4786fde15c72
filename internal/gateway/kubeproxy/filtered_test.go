package kubeproxy

import (
	"bufio"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

const (
	kindsPath = "/apis/platform.soma.dev/v1alpha1/"
	tableForm = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
)

// share is a world in which bob may look at one of three jobs.
func share(t *testing.T, prefix string) (w *world, project, bob string) {
	t.Helper()
	w = newWorld(t, prefix)
	project, bob = w.project("vision"), w.user("bob")
	w.project("other")
	w.user("carol")
	for _, name := range []string{"eval", "test", "train"} {
		w.job(project, name)
	}
	w.grant(project, bob, "job:train", v1alpha1.ActionRead)
	w.compile(allows(access.In(access.Job, access.Home, "", project, "train"), access.Read, bob))
	return w, project, bob
}

func TestListsShowWhatMayBeSeen(t *testing.T) {
	w, project, bob := share(t, "lists")
	for path, want := range map[string][]string{
		"namespaces/" + project + "/jobs":                                   {"train"},
		"namespaces/" + project + "/jobs?limit=1":                           {"train"},
		"namespaces/" + project + "/jobs?fieldSelector=metadata.name=train": {"train"},
		"namespaces/" + project + "/jobs?labelSelector=a=b":                 {},
		"jobs":     {"train"},
		"projects": {project},
		"quotas":   {},
		"users":    {bob},
		"roles":    {},
		"users?fieldSelector=metadata.name=" + bob:             {bob},
		"users?fieldSelector=metadata.name=" + w.name("carol"): {},
	} {
		code, body := w.get(bob, kindsPath+path)
		if code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, body)
			continue
		}
		if got := names(t, body); !slices.Equal(got, want) {
			t.Errorf("%s shows %q, not %q", path, got, want)
		}
		for _, secret := range []string{"eval", `"remainingItemCount"`, `"continue":"e`, w.name("carol"), w.name("other")} {
			if strings.Contains(string(body), secret) {
				t.Errorf("%s tells of %s: %s", path, secret, body)
			}
		}
	}
	if code, body := w.get(bob, kindsPath+"namespaces/"+project+"/jobs?continue=abc"); code != http.StatusGone {
		t.Errorf("a continue is answered %d %s", code, body)
	}
	out, err := w.kubectl(bob, "get", "soma", "-A").CombinedOutput()
	if text := string(out); !strings.Contains(text, "train") || strings.Contains(text, "eval") || strings.Contains(text, w.name("other")) {
		t.Errorf("kubectl shows %v: %s", err, text)
	}
	if out, err := w.kubectl(bob, "get", "suser", bob).CombinedOutput(); err != nil {
		t.Errorf("oneself: %v: %s", err, out)
	}
}

// Who has nothing yet is shown lists of nothing, and is refused where they name a place.
func TestListsOfWhoHasNothingAreEmpty(t *testing.T) {
	w, project, _ := share(t, "nothing")
	dave := w.user("dave")
	w.compile(func(tree func(string) *access.Tree) bool {
		return tree(dave).Allows(access.Named(access.User, dave), access.Read)
	})
	for path, want := range map[string][]string{"projects": {}, "jobs": {}, "quotas": {}, "users": {dave}} {
		code, body := w.get(dave, kindsPath+path)
		if code != http.StatusOK || !slices.Equal(names(t, body), want) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	for _, place := range []string{project, "default", "no-such-project"} {
		if code, body := w.get(dave, kindsPath+"namespaces/"+place+"/jobs"); code != http.StatusForbidden {
			t.Errorf("jobs of %s: %d %s", place, code, body)
		}
	}
}

func TestTablesShowWhatMayBeSeen(t *testing.T) {
	w, project, bob := share(t, "tables")
	for _, include := range []string{"", "Metadata", "Object", "None"} {
		r := w.request(http.MethodGet, bob, jobsPath+project+"/jobs?includeObject="+include, nil)
		r.Header.Set("Accept", tableForm)
		code, body := w.do(r)
		var table metav1.Table
		if err := json.Unmarshal(body, &table); code != http.StatusOK || err != nil || table.Kind != "Table" {
			t.Fatalf("%q: %d %v %s", include, code, err, body)
		}
		if len(table.Rows) != 1 || len(table.ColumnDefinitions) == 0 || table.Rows[0].Cells[0] != "train" {
			t.Errorf("%q: %s", include, body)
		}
		if bare := len(table.Rows[0].Object.Raw) == 0; bare != (include == "None") {
			t.Errorf("%q: %s", include, body)
		}
	}
	r := w.request(http.MethodGet, bob, jobsPath+project+"/jobs", nil)
	r.Header.Set("Accept", "application/yaml")
	if code, body := w.do(r); code != http.StatusNotAcceptable {
		t.Errorf("yaml is answered %d %s", code, body)
	}
	r.Header.Set("Accept", "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json")
	if code, body := w.do(r); code != http.StatusOK || !strings.Contains(string(body), "PartialObjectMetadata") || !slices.Equal(names(t, body), []string{"train"}) {
		t.Errorf("metadata is answered %d %s", code, body)
	}
}

// events reads the events of a watch, as type and name.
func (w *world) events(r *http.Request) <-chan string {
	w.t.Helper()
	response, err := w.client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = response.Body.Close() })
	events := make(chan string, 100)
	go func() {
		defer close(events)
		lines := bufio.NewScanner(response.Body)
		for lines.Scan() {
			var event struct {
				Type   string
				Object struct {
					Metadata metav1.ObjectMeta
					Rows     []metav1.TableRow
					Reason   string
				}
			}
			if json.Unmarshal(lines.Bytes(), &event) != nil {
				events <- "unreadable " + lines.Text()
				return
			}
			name := event.Object.Metadata.Name + event.Object.Reason
			for i := range event.Object.Rows {
				cell, _ := event.Object.Rows[i].Cells[0].(string)
				name += cell
			}
			if event.Type != "BOOKMARK" {
				events <- strings.TrimSpace(event.Type + " " + name)
			}
		}
	}()
	return events
}

func (w *world) next(events <-chan string, want string) {
	w.t.Helper()
	select {
	case got := <-events:
		if got != want {
			w.t.Errorf("the watch tells %q, not %q", got, want)
		}
	case <-time.After(patience):
		w.t.Fatalf("the watch tells nothing, not %q", want)
	}
}

func TestWatchesShowWhatMayBeSeen(t *testing.T) {
	w, project, bob := share(t, "watches")
	for _, form := range []string{"application/json", tableForm} {
		for _, query := range []string{"watch=1", "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"} {
			r := w.request(http.MethodGet, bob, jobsPath+project+"/jobs?"+query, nil)
			r.Header.Set("Accept", form)
			events := w.events(r)
			w.next(events, "ADDED train")
			label := func(name, value string) {
				t.Helper()
				job := &v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: name}}
				if err := server.Client.Patch(t.Context(), job, clientMerge(`{"metadata":{"labels":{"a":"`+value+`"}}}`)); err != nil {
					t.Fatal(err)
				}
			}
			value := strings.ReplaceAll(time.Now().Format("150405.000000"), ".", "-")
			label("eval", value)
			label("train", value)
			w.next(events, "MODIFIED train")
		}
	}
	events := w.events(w.request(http.MethodGet, bob, jobsPath+project+"/jobs?watch=1", nil))
	w.next(events, "ADDED train")
	w.grant(project, bob, "job:eval", v1alpha1.ActionRead)
	w.next(events, "ERROR Expired")
	events = w.events(w.request(http.MethodGet, bob, jobsPath+project+"/jobs?watch=1", nil))
	w.next(events, "ADDED eval")
	w.next(events, "ADDED train")
}

func TestSharedPodsAreListed(t *testing.T) {
	w, project, bob := share(t, "pods")
	for _, job := range []string{"train", "eval"} {
		w.make(&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: job + "-pod", Labels: map[string]string{v1alpha1.LabelJob: job}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "x"}}},
		})
	}
	code, body := w.get(bob, "/api/v1/namespaces/"+project+"/pods")
	if code != http.StatusOK || !slices.Equal(names(t, body), []string{"train-pod"}) {
		t.Errorf("%d %s", code, body)
	}
	if code, body := w.get(bob, "/api/v1/namespaces/"+w.name("other")+"/pods"); code != http.StatusForbidden {
		t.Errorf("pods of another project: %d %s", code, body)
	}
}

package kubeproxy

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// alike sees to it that somebody is answered the same about two paths, but for the names in them. It returns the code.
func (w *world) alike(method, user, there, absent, body string) int {
	w.t.Helper()
	ask := func(path string) (int, string) {
		r := w.request(method, user, path, strings.NewReader(body))
		if body != "" {
			r.Header.Set("Content-Type", "application/merge-patch+json")
		}
		code, answer := w.do(r)
		text := string(answer)
		resource, _, _ := strings.Cut(path, "?")
		for _, segment := range strings.Split(resource, "/")[3:] {
			text = strings.ReplaceAll(text, `\"`+segment+`\"`, "NAME")
			text = strings.ReplaceAll(text, `"name":"`+segment+`"`, "NAME")
		}
		return code, text
	}
	codeThere, answerThere := ask(there)
	codeAbsent, answerAbsent := ask(absent)
	if codeThere != codeAbsent || answerThere != answerAbsent {
		w.t.Errorf("%s %s: %d %s\nbut %s: %d %s", method, there, codeThere, answerThere, absent, codeAbsent, answerAbsent)
	}
	return codeThere
}

func TestForbiddenLooksAbsent(t *testing.T) {
	w, project, bob := share(t, "absent")
	other := w.name("other")
	w.job(other, "there")
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPatch} {
		body := ""
		if method == http.MethodPatch {
			body = `{"metadata":{"labels":{"a":"b"}}}`
		}
		w.alike(method, bob, jobsPath+project+"/jobs/eval", jobsPath+project+"/jobs/nothing", body)
		w.alike(method, bob, jobsPath+other+"/jobs/there", jobsPath+"nowhere/jobs/there", body)
		w.alike(method, bob, kindsPath+"projects/"+other, kindsPath+"projects/nothing", body)
		w.alike(method, bob, kindsPath+"users/"+w.name("carol"), kindsPath+"users/nobody", body)
		w.alike(method, bob, kindsPath+"quotas/"+other, kindsPath+"quotas/nothing", body)
		w.alike(method, bob, "/api/v1/namespaces/"+other+"/events/there", "/api/v1/namespaces/nowhere/events/there", body)
	}
	w.alike(http.MethodGet, bob, jobsPath+other+"/jobs", jobsPath+"nowhere/jobs", "")
	w.alike(http.MethodPost, bob, jobsPath+other+"/jobs", jobsPath+"nowhere/jobs", "{}")

	_, body := w.get(bob, jobsPath+project+"/jobs/eval")
	var got, want metav1.Status
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	want = apierrors.NewNotFound(schema.GroupResource{Group: v1alpha1.GroupName, Resource: "jobs"}, "eval").Status()
	if got.Message != want.Message || got.Reason != want.Reason || got.Details == nil || got.Details.Name != want.Details.Name || got.Details.Kind != want.Details.Kind {
		t.Errorf("%s", body)
	}
	// What may be seen and not done is refused with what is missing.
	if code, answer := w.do(w.request(http.MethodDelete, bob, jobsPath+project+"/jobs/train", nil)); code != http.StatusForbidden ||
		!strings.Contains(string(answer), "that needs write on job://local/default/"+project+"/train") {
		t.Errorf("%d %s", code, answer)
	}
}

func TestPodsOfOtherJobsLookAbsent(t *testing.T) {
	w, project, bob := share(t, "absent-pods")
	for _, job := range []string{"train", "eval"} {
		w.make(&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: job + "-pod", Labels: map[string]string{v1alpha1.LabelJob: job}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "x"}}},
		})
	}
	pods := "/api/v1/namespaces/" + project + "/pods"
	for _, part := range []string{"", "/log", "/exec", "/status"} {
		if code := w.alike(http.MethodGet, bob, pods+"/eval-pod"+part, pods+"/nothing"+part, ""); code != http.StatusNotFound {
			t.Errorf("a pod of another job, %q: %d", part, code)
		}
	}
	if code := w.alike(http.MethodDelete, bob, pods+"/eval-pod", pods+"/nothing", ""); code != http.StatusNotFound {
		t.Errorf("a pod of another job is deleted: %d", code)
	}
	// What may be seen and not done is refused with what is missing.
	for path, missing := range map[string]string{"/train-pod/exec": "that needs write on job://local/default/" + project + "/train", "/train-pod/status": "cannot get"} {
		if code, answer := w.get(bob, pods+path); code != http.StatusForbidden || !strings.Contains(string(answer), missing) {
			t.Errorf("%s: %d %s", path, code, answer)
		}
	}
	for _, query := range []string{"", "&watch=1&timeoutSeconds=1"} {
		w.alike(http.MethodGet, bob, pods+"?fieldSelector=metadata.name=eval-pod"+query, pods+"?fieldSelector=metadata.name=nothing"+query, "")
	}
}

func TestTokensTellNothingOfProjectsOutOfTheirScope(t *testing.T) {
	w, project, bob := share(t, "absent-scope")
	other := w.name("other")
	w.job(other, "there")
	w.signIn.scopes[bob+":one"] = []v1alpha1.Permission{{URI: v1alpha1.Address("job://local/default/" + project), Action: v1alpha1.ActionRead}}
	bob += ":one"
	w.alike(http.MethodPost, bob, jobsPath+other+"/jobs", jobsPath+"nowhere/jobs", "{}")
	w.alike(http.MethodGet, bob, "/api/v1/namespaces/"+other+"/secrets", "/api/v1/namespaces/nowhere/secrets", "")
	w.alike(http.MethodGet, bob, jobsPath+other+"/jobs/there", jobsPath+"nowhere/jobs/there", "")
	const query = "?fieldSelector=metadata.name="
	if code := w.alike(http.MethodGet, bob, kindsPath+"projects"+query+other, kindsPath+"projects"+query+"nothing", ""); code != http.StatusOK {
		t.Errorf("a list of which nothing is in the token's scope: %d", code)
	}
	if code := w.alike(http.MethodGet, bob, kindsPath+"roles"+query+"everyone", kindsPath+"roles"+query+"nothing", ""); code != http.StatusForbidden {
		t.Errorf("a list that is out of the token's scope: %d", code)
	}
	if code, answer := w.do(w.request(http.MethodPost, bob, jobsPath+project+"/jobs", strings.NewReader("{}"))); code != http.StatusForbidden ||
		!strings.Contains(string(answer), "that needs write on job://local/default/"+project) {
		t.Errorf("%d %s", code, answer)
	}
}

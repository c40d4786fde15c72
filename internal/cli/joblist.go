package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// maxJobs bounds the jobs that one command lists, so that no project fills this machine's memory.
const maxJobs = 100_000

// jobPage is a page of jobs as it is read for tables: the API server's book-keeping, which is most of its bytes, is left
// out. Reading it takes a sixth of the time that whole objects take.
type jobPage struct {
	Metadata metav1.ListMeta `json:"metadata"`
	Items    []listedJob     `json:"items"`
}

type listedJob struct {
	Metadata struct {
		Name              string      `json:"name"`
		Namespace         string      `json:"namespace"`
		UID               types.UID   `json:"uid"`
		CreationTimestamp metav1.Time `json:"creationTimestamp"`
	} `json:"metadata"`
	Spec   v1alpha1.JobSpec   `json:"spec"`
	Status v1alpha1.JobStatus `json:"status"`
}

func (l *listedJob) row() row {
	m := &l.Metadata
	return jobRow(&v1alpha1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: m.Name, Namespace: m.Namespace, UID: m.UID, CreationTimestamp: m.CreationTimestamp},
		Spec:       l.Spec, Status: l.Status,
	})
}

// listJobRows reads the jobs that the field selector lets pass, page after page; namespace is "" for those of all projects.
// The rows have no object.
func (a *app) listJobRows(ctx context.Context, namespace, selector string) ([]row, error) {
	var rows []row
	for next := ""; ; {
		page, err := a.jobPage(ctx, namespace, selector, next)
		if err != nil {
			return nil, a.explainError(ctx, err, jobs, namespace, "")
		}
		read, going, err := readJobPage(page)
		if err != nil {
			return nil, fmt.Errorf("the list of jobs cannot be read: %w", err)
		}
		rows = append(rows, read...)
		if going == "" {
			return rows, nil
		}
		if len(rows) >= maxJobs {
			return nil, fmt.Errorf("there are more than %d jobs; narrow the list with --project, --owner or --state", maxJobs)
		}
		next = going
	}
}

func (a *app) jobPage(ctx context.Context, namespace, selector, next string) ([]byte, error) {
	c, err := a.connect()
	if err != nil {
		return nil, err
	}
	ctx, cancel := a.request(ctx)
	defer cancel()
	request := c.core.Get().AbsPath("/apis", jobs.Group, jobs.Version).NamespaceIfScoped(namespace, namespace != "").
		Resource(jobs.Resource).Param("limit", strconv.Itoa(pageSize))
	if selector != "" {
		request = request.Param("fieldSelector", selector)
	}
	if next != "" {
		request = request.Param("continue", next)
	}
	return body(request.Do(ctx))
}

// body is what the API server answered, or its own error.
func body(answer rest.Result) ([]byte, error) {
	if err := answer.Error(); err != nil { // Raw alone would not read it
		return nil, err
	}
	return answer.Raw()
}

// readJobPage reads a page and where the next begins. A job that cannot be read becomes a row that says so.
func readJobPage(text []byte) (rows []row, next string, err error) {
	var page jobPage
	if err := json.Unmarshal(text, &page); err == nil {
		rows = make([]row, 0, len(page.Items))
		for i := range page.Items {
			rows = append(rows, page.Items[i].row())
		}
		return rows, page.Metadata.Continue, nil
	}
	whole := &unstructured.UnstructuredList{}
	if err := whole.UnmarshalJSON(text); err != nil {
		return nil, "", err
	}
	for i := range whole.Items {
		r := liveRow(&whole.Items[i])
		r.object = nil
		rows = append(rows, r)
	}
	return rows, whole.GetContinue(), nil
}

// selector is the part of the filter that the API server applies to jobs.
func (f filter) selector() string {
	// A job that no controller has looked at has no phase, and counts as pending.
	all := otherStates(f.states, "status.phase")
	if f.owner != "" {
		all = append(all, fields.OneTermEqualSelector("spec.submittedBy", f.owner))
	}
	return fields.AndSelectors(all...).String()
}

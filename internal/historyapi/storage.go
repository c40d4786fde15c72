package historyapi

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	api "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/internal/history"
)

// maxTransitions is how many transitions one record shows: the newest.
const maxTransitions = 1000

// maxAttempts is how many attempts that ended one record shows: the newest.
const maxAttempts = 16

var resource = schema.GroupResource{Group: api.GroupName, Resource: "jobrecords"}

// Reader is where records are read from.
type Reader interface {
	List(ctx context.Context, q history.Query) ([]history.Job, *history.Position, error)
	Transitions(ctx context.Context, job *history.Job, limit int32) ([]history.Transition, error)
}

// Storage serves job records from a store.
func Storage(store Reader, clk clock.PassiveClock) rest.Storage {
	return &records{store: store, clock: clk}
}

// records serves job records: get and list, nothing else.
type records struct {
	store Reader
	clock clock.PassiveClock
}

var (
	_ rest.Getter               = &records{}
	_ rest.Lister               = &records{}
	_ rest.Scoper               = &records{}
	_ rest.SingularNameProvider = &records{}
	_ rest.ShortNamesProvider   = &records{}
)

// New returns an empty record.
func (*records) New() runtime.Object { return &api.JobRecord{} }

// NewList returns an empty list.
func (*records) NewList() runtime.Object { return &api.JobRecordList{} }

// Destroy has nothing to release: the store is its maker's.
func (*records) Destroy() {}

// NamespaceScoped says that records lie in the namespaces of their jobs.
func (*records) NamespaceScoped() bool { return true }

// GetSingularName is the name of one.
func (*records) GetSingularName() string { return "jobrecord" }

// ShortNames are what a person may type.
func (*records) ShortNames() []string { return []string{"srecord"} }

// Get returns one record with its transitions.
func (r *records) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	query, found, err := queryOf(genericapirequest.NamespaceValue(ctx), &metainternalversion.ListOptions{
		Limit: 1, FieldSelector: fields.OneTermEqualSelector(api.FieldName, name),
	})
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if !found {
		return nil, apierrors.NewNotFound(resource, name)
	}
	jobs, _, err := r.store.List(ctx, query)
	if err != nil {
		return nil, statusOf(err)
	}
	if len(jobs) == 0 {
		return nil, apierrors.NewNotFound(resource, name)
	}
	record, err := recordOf(&jobs[0])
	if err != nil {
		return nil, statusOf(err)
	}
	transitions, err := r.store.Transitions(ctx, &jobs[0], maxTransitions)
	if err != nil {
		return nil, statusOf(err)
	}
	record.Status.Transitions = transitionsOf(transitions)
	record.Status.EndedAttempts = attemptsOf(record.Status.Transitions)
	return &record, nil
}

// List returns one page of records.
func (r *records) List(ctx context.Context, options *metainternalversion.ListOptions) (runtime.Object, error) {
	query, found, err := queryOf(genericapirequest.NamespaceValue(ctx), options)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	list := &api.JobRecordList{Items: []api.JobRecord{}}
	if !found {
		return list, nil
	}
	jobs, next, err := r.store.List(ctx, query)
	if err != nil {
		return nil, statusOf(err)
	}
	for i := range jobs {
		record, err := recordOf(&jobs[i])
		if err != nil {
			return nil, statusOf(err)
		}
		list.Items = append(list.Items, record)
	}
	if list.Continue, err = encodePosition(next, query.Order); err != nil {
		return nil, statusOf(err)
	}
	return list, nil
}

// ConvertToTable makes what kubectl prints.
func (r *records) ConvertToTable(_ context.Context, object, options runtime.Object) (*metav1.Table, error) {
	table := &metav1.Table{}
	var items []api.JobRecord
	switch object := object.(type) {
	case *api.JobRecord:
		items = []api.JobRecord{*object}
		table.ResourceVersion = object.ResourceVersion
	case *api.JobRecordList:
		items = object.Items
		table.Continue = object.Continue
	default:
		return nil, fmt.Errorf("cannot print %T as job records", object)
	}
	if o, ok := options.(*metav1.TableOptions); !ok || !o.NoHeaders {
		table.ColumnDefinitions = tableColumns
	}
	now := r.clock.Now()
	for i := range items {
		table.Rows = append(table.Rows, metav1.TableRow{Cells: cells(&items[i], now), Object: runtime.RawExtension{Object: &items[i]}})
	}
	return table, nil
}

// statusOf turns an error of the store into what a client is told. The cause, that may name hosts, goes to the log alone.
func statusOf(err error) error {
	var unavailable *history.Unavailable
	switch {
	case errors.As(err, &unavailable):
		klog.ErrorS(err, "Cannot read the history")
		return apierrors.NewServiceUnavailable(fmt.Sprintf(
			"the history is away since %s; jobs go on meanwhile and nothing of them is lost. Try again later",
			unavailable.Since.UTC().Format(time.RFC3339)))
	case errors.Is(err, history.ErrTooSlow):
		return apierrors.NewTimeoutError(history.ErrTooSlow.Error(), 0)
	case errors.Is(err, context.Canceled):
		return err
	}
	klog.ErrorS(err, "Cannot read the history")
	return apierrors.NewInternalError(errors.New("the history could not be read; its server's log says why"))
}

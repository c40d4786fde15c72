package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	api "github.com/soma-platform/soma/api/history/v1alpha1"
)

const (
	page = 50
	// deep is how many pages of the largest size come before a page deep in a list.
	deep, largest = 20, 5000
)

// request is one page that is asked for.
type request struct {
	name, namespace, fields, labels string
	deep                            bool
	// missing says that there is no such record.
	missing bool
}

// requests are what people and programs ask. Times are relative to now.
func requests(now time.Time) []request {
	at := func(days int) string { return now.UTC().AddDate(0, 0, -days).Format(time.RFC3339) }
	half := "since=" + at(200) + ",until=" + at(190)
	return []request{
		{name: "no filter"},
		{name: "user", fields: "user=user-7"},
		{name: "user with few jobs", fields: "user=guest"},
		{name: "user without jobs", fields: "user=nobody", missing: true},
		{name: "phase of most", fields: "phase=Succeeded"},
		{name: "phase of few", fields: "phase=Running"},
		{name: "any phase but one", fields: "phase!=Succeeded"},
		{name: "reason", fields: "reason=Error"},
		{name: "reason of none", fields: "reason=OOMKilled", missing: true},
		{name: "name of many", fields: "job=train"},
		{name: "name of none", fields: "job=absent", missing: true},
		{name: "tag of many", fields: "tag=nightly"},
		{name: "tag of few", fields: "tag=rare"},
		{name: "tag of none", fields: "tag=absent", missing: true},
		{name: "not a tag", fields: "tag!=nightly"},
		{name: "label of many", labels: "team=team-3"},
		{name: "label of none", labels: "team=absent", missing: true},
		{name: "label key of none", labels: "absent", missing: true},
		{name: "one of two labels", labels: "team in (team-3,team-4)"},
		{name: "one of two labels of none", labels: "team in (absent,gone)", missing: true},
		{name: "user and phase", fields: "user=user-7,phase=Failed"},
		{name: "user with few jobs and tag of many", fields: "user=guest,tag=nightly"},
		{name: "tag of few and label of many", fields: "tag=rare", labels: "team"},
		{name: "time range", fields: half},
		{name: "time range and user", fields: half + ",user=user-7"},
		{name: "time range and tag of none", fields: half + ",tag=absent", missing: true},
		{name: "oldest first", fields: "sort=submitted"},
		{name: "oldest first, tag of many", fields: "sort=submitted,tag=nightly"},
		{name: "last finished first", fields: "sort=-finished"},
		{name: "last finished first, user", fields: "sort=-finished,user=user-7"},
		{name: "last finished first, tag of many", fields: "sort=-finished,tag=nightly"},
		{name: "last finished first, tag of few", fields: "sort=-finished,tag=rare"},
		{name: "after 100,000 records", deep: true},
		{name: "after 100,000 records, tag of many", fields: "tag=nightly", deep: true},
		{name: "after 100,000 records, last finished first", fields: "sort=-finished", deep: true},
	}
}

// measure asks for every page of one project and of all of them, prints the times and fails where a median is over the
// budget.
func measure(ctx context.Context, storage rest.Storage, rounds int, budget time.Duration) error {
	lister, ok := storage.(rest.Lister)
	if !ok {
		return fmt.Errorf("%T does not list", storage)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer func() { _ = w.Flush() }()
	fmt.Fprintln(w, "page of 50\tin\trecords\tfirst\tmedian\tslowest")
	var problems []error
	for _, namespace := range []string{"vision", ""} {
		for _, r := range requests(time.Now()) {
			r.namespace = namespace
			times, found, err := r.time(ctx, lister, rounds)
			if err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", r, err))
				continue
			}
			first, slowest := times[0], slices.Max(times)
			slices.Sort(times)
			median := times[len(times)/2]
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", r.name, r.where(), found, milliseconds(first), milliseconds(median), milliseconds(slowest))
			if median > budget {
				problems = append(problems, fmt.Errorf("%s took %s, at most %s is allowed", r, median, budget))
			}
			if r.missing && found > 0 {
				problems = append(problems, fmt.Errorf("%s found %d records", r, found))
			}
		}
		_ = w.Flush()
	}
	return errors.Join(problems...)
}

func (r request) where() string {
	if r.namespace == "" {
		return "all projects"
	}
	return r.namespace
}

func (r request) String() string { return fmt.Sprintf("%q in %s", r.name, r.where()) }

// time asks for the page again and again, and returns how long that took each time and how many records were found.
func (r request) time(ctx context.Context, lister rest.Lister, rounds int) (times []time.Duration, found int, err error) {
	ctx = genericapirequest.WithNamespace(ctx, r.namespace)
	options, err := r.options()
	if err != nil {
		return nil, 0, err
	}
	if r.deep {
		options.Limit = largest
		for range deep {
			list, err := list(ctx, lister, options)
			if err != nil {
				return nil, 0, err
			}
			options.Continue = list.Continue
		}
		options.Limit = page
	}
	for range rounds {
		begin := time.Now()
		list, err := list(ctx, lister, options)
		if err != nil {
			return nil, 0, err
		}
		// What a client is sent is part of it.
		if _, err := json.Marshal(list); err != nil {
			return nil, 0, err
		}
		times, found = append(times, time.Since(begin)), len(list.Items)
	}
	return times, found, nil
}

func list(ctx context.Context, lister rest.Lister, options *metainternalversion.ListOptions) (*api.JobRecordList, error) {
	object, err := lister.List(ctx, options)
	if err != nil {
		return nil, err
	}
	list, ok := object.(*api.JobRecordList)
	if !ok {
		return nil, fmt.Errorf("the storage lists %T", object)
	}
	return list, nil
}

func (r request) options() (*metainternalversion.ListOptions, error) {
	options := &metainternalversion.ListOptions{TypeMeta: metav1.TypeMeta{}, Limit: page}
	var err error
	if options.FieldSelector, err = fields.ParseSelector(r.fields); err != nil {
		return nil, err
	}
	options.LabelSelector, err = labels.Parse(r.labels)
	return options, err
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

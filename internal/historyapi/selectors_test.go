package historyapi

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/soma-platform/soma/internal/history"
)

// Field selectors come sorted from their parser.
func TestQueryOf(t *testing.T) {
	tests := map[string]struct {
		namespace, fields, labels, token string
		limit                            int64
		want                             history.Query
		wantMissing                      bool
		wantError                        string
	}{
		"nothing": {want: history.Query{PageSize: defaultPage}},
		"namespace and limit": {namespace: "vision", limit: 50, want: history.Query{PageSize: 50,
			Equal: []history.Match{{Column: history.ColumnNamespace, Value: "vision"}}}},
		"limit too large": {limit: 1 << 40, want: history.Query{PageSize: maxPage}},
		"limit negative":  {limit: -1, wantError: "negative"},
		"fields": {fields: "user=ada,phase!=Failed,reason==Error,job=train", want: history.Query{PageSize: defaultPage, Equal: []history.Match{
			{Column: history.ColumnName, Value: "train"}, {Column: history.ColumnPhase, Value: "Failed", Not: true},
			{Column: history.ColumnReason, Value: "Error"}, {Column: history.ColumnUser, Value: "ada"}}}},
		"tags": {fields: "tag=a,tag!=b", want: history.Query{PageSize: defaultPage, Tags: []history.TagMatch{{Tag: "b", Not: true}, {Tag: "a"}}}},
		"times": {fields: "since=2026-03-01T00:00:00Z,until=2026-04-01T02:00:00+02:00", want: history.Query{PageSize: defaultPage,
			Since: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)}},
		"no time":       {fields: "since=yesterday", wantError: "needs a time like"},
		"since not":     {fields: "since!=2026-03-01T00:00:00Z", wantError: "only be compared with ="},
		"sort":          {fields: "sort=-finished", want: history.Query{PageSize: defaultPage, Order: history.ByFinishDescending}},
		"sort unknown":  {fields: "sort=name", wantError: "not known"},
		"field unknown": {fields: "color=red", wantError: "not supported"},
		"name": {fields: "metadata.name=train-0a1b2c3d4e", want: history.Query{PageSize: defaultPage,
			Equal: []history.Match{{Column: history.ColumnName, Value: "train"}},
			UID: &history.UIDRange{First: uuid.MustParse("0a1b2c3d-4e00-0000-0000-000000000000"),
				Last: uuid.MustParse("0a1b2c3d-4eff-ffff-ffff-ffffffffffff")}}},
		"name of none": {fields: "metadata.name=train", wantMissing: true},
		"labels": {labels: "a=1,b in (2,3),c!=4,d,!e", want: history.Query{PageSize: defaultPage, Labels: []history.LabelMatch{
			{Key: "a", Values: []string{"1"}}, {Key: "b", Values: []string{"2", "3"}}, {Key: "c", Values: []string{"4"}, Not: true},
			{Key: "d", Values: []string{}}, {Key: "e", Values: []string{}, Not: true}}}},
		"label compared": {labels: "a>1", wantError: "cannot be compared"},
		"token unknown":  {token: "abc", wantError: "begin the list again"},
		"token long":     {token: strings.Repeat("a", 600), wantError: "begin the list again"},
		"too many":       {fields: strings.Repeat("user=a,", 65) + "user=a", wantError: "more than"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			options := &metainternalversion.ListOptions{Limit: test.limit, Continue: test.token}
			var err error
			if options.FieldSelector, err = fields.ParseSelector(test.fields); err != nil {
				t.Fatal(err)
			}
			if options.LabelSelector, err = labels.Parse(test.labels); err != nil {
				t.Fatal(err)
			}
			got, found, err := queryOf(test.namespace, options)
			if test.wantError != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantError) {
					t.Fatalf("want an error with %q, got %v", test.wantError, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if found == test.wantMissing {
				t.Fatalf("want found %t, got %t", !test.wantMissing, found)
			}
			if found && !reflect.DeepEqual(got, test.want) {
				t.Errorf("want %+v, got %+v", test.want, got)
			}
		})
	}
}

func TestPositionSurvivesItsToken(t *testing.T) {
	want := history.Position{Time: time.Date(2026, 3, 1, 1, 2, 3, 456000, time.UTC), UID: uuid.New()}
	text, err := encodePosition(&want, history.BySubmission)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodePosition(text, history.BySubmission)
	if err != nil || *got != want {
		t.Errorf("want %v, got %v, %v", want, got, err)
	}
	if _, err := decodePosition(text, history.ByFinishDescending); err == nil {
		t.Error("want an error for a list in another order")
	}
	if text, err := encodePosition(nil, history.BySubmission); err != nil || text != "" {
		t.Errorf("want no token at the end of a list, got %q, %v", text, err)
	}
}

func FuzzDecodePosition(f *testing.F) {
	f.Add("eyJvIjowfQ")
	f.Fuzz(func(_ *testing.T, text string) {
		_, _ = decodePosition(text, history.BySubmission)
	})
}

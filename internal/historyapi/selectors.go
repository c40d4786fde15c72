package historyapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	api "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/internal/history"
)

const (
	// defaultPage is the size of a page where the client names none.
	defaultPage = 500
	// maxPage is the largest page.
	maxPage = 5000
	// maxRequirements bounds what one search may ask.
	maxRequirements = 64
)

var columns = map[string]history.Column{
	api.FieldNamespace: history.ColumnNamespace,
	api.FieldJob:       history.ColumnName,
	api.FieldUser:      history.ColumnUser,
	api.FieldPhase:     history.ColumnPhase,
	api.FieldReason:    history.ColumnReason,
}

var orders = map[string]history.Order{
	api.SortSubmittedDescending: history.BySubmissionDescending,
	api.SortSubmitted:           history.BySubmission,
	api.SortFinishedDescending:  history.ByFinishDescending,
}

// queryOf turns a request into a query. Its errors are the client's to mend. found is false where no record can match.
func queryOf(namespace string, options *metainternalversion.ListOptions) (query history.Query, found bool, err error) {
	found = true
	query.PageSize = defaultPage
	if namespace != "" {
		query.Equal = append(query.Equal, history.Match{Column: history.ColumnNamespace, Value: namespace})
	}
	if options == nil {
		return query, true, nil
	}
	if options.Limit < 0 {
		return query, false, fmt.Errorf("limit must not be negative")
	}
	if options.Limit > 0 {
		query.PageSize = int(min(options.Limit, maxPage))
	}
	if options.FieldSelector != nil {
		requirements := options.FieldSelector.Requirements()
		if len(requirements) > maxRequirements {
			return query, false, fmt.Errorf("the field selector has more than %d requirements", maxRequirements)
		}
		for _, requirement := range requirements {
			possible, err := addField(&query, requirement)
			if err != nil {
				return query, false, err
			}
			found = found && possible
		}
	}
	if options.LabelSelector != nil {
		requirements, selectable := options.LabelSelector.Requirements()
		if !selectable {
			return query, false, nil
		}
		if len(requirements) > maxRequirements {
			return query, false, fmt.Errorf("the label selector has more than %d requirements", maxRequirements)
		}
		for _, requirement := range requirements {
			if err := addLabel(&query, requirement); err != nil {
				return query, false, err
			}
		}
	}
	if options.Continue != "" {
		query.After, err = decodePosition(options.Continue, query.Order)
	}
	return query, found, err
}

func addField(query *history.Query, r fields.Requirement) (possible bool, err error) {
	not := r.Operator == selection.NotEquals
	if column, ok := columns[r.Field]; ok {
		query.Equal = append(query.Equal, history.Match{Column: column, Value: r.Value, Not: not})
		return true, nil
	}
	if r.Field == api.FieldTag {
		query.Tags = append(query.Tags, history.TagMatch{Tag: r.Value, Not: not})
		return true, nil
	}
	if not {
		return false, fmt.Errorf("field %q can only be compared with =", r.Field)
	}
	switch r.Field {
	case api.FieldName:
		return addName(query, r.Value), nil
	case api.FieldSince:
		query.Since, err = parseTime(r)
	case api.FieldUntil:
		query.Until, err = parseTime(r)
	case api.FieldSort:
		order, ok := orders[r.Value]
		if !ok {
			return false, fmt.Errorf("sort %q is not known; use %s, %s or %s", r.Value,
				api.SortSubmittedDescending, api.SortSubmitted, api.SortFinishedDescending)
		}
		query.Order = order
	default:
		return false, fmt.Errorf("field selector %q is not supported; use one of %s", r.Field, strings.Join(api.Fields(), ", "))
	}
	return err == nil, err
}

// addName looks for the one record of a name. It reports false where the name is that of no record.
func addName(query *history.Query, name string) bool {
	job, digits, ok := api.SplitRecordName(name)
	if !ok {
		return false
	}
	const length = 32
	first, err1 := uuid.Parse(digits + strings.Repeat("0", length-len(digits)))
	last, err2 := uuid.Parse(digits + strings.Repeat("f", length-len(digits)))
	if err1 != nil || err2 != nil {
		return false
	}
	query.Equal = append(query.Equal, history.Match{Column: history.ColumnName, Value: job})
	query.UID = &history.UIDRange{First: first, Last: last}
	return true
}

func parseTime(r fields.Requirement) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, r.Value)
	if err != nil {
		return time.Time{}, fmt.Errorf("field %q needs a time like 2026-03-01T00:00:00Z, not %q", r.Field, r.Value)
	}
	return t.UTC(), nil
}

func addLabel(query *history.Query, r labels.Requirement) error {
	match := history.LabelMatch{Key: r.Key(), Values: r.Values().List()}
	switch r.Operator() {
	case selection.Equals, selection.DoubleEquals, selection.In, selection.Exists:
	case selection.NotEquals, selection.NotIn, selection.DoesNotExist:
		match.Not = true
	default:
		return fmt.Errorf("labels of job records cannot be compared with %q", r.Operator())
	}
	query.Labels = append(query.Labels, match)
	return nil
}

// token is what a continue token holds: where the page ended, and in which order.
type token struct {
	Order history.Order `json:"o"`
	Time  time.Time     `json:"t"`
	UID   uuid.UUID     `json:"u"`
}

func encodePosition(position *history.Position, order history.Order) (string, error) {
	if position == nil {
		return "", nil
	}
	body, err := json.Marshal(token{Order: order, Time: position.Time.UTC(), UID: position.UID})
	if err != nil {
		return "", fmt.Errorf("encode the continue token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(body), nil
}

func decodePosition(text string, order history.Order) (*history.Position, error) {
	const maxToken = 512
	if len(text) > maxToken {
		return nil, fmt.Errorf("the continue token is not one of this list; begin the list again")
	}
	body, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("the continue token is not one of this list; begin the list again")
	}
	var t token
	if err := json.Unmarshal(body, &t); err != nil || t.Time.IsZero() {
		return nil, fmt.Errorf("the continue token is not one of this list; begin the list again")
	}
	if t.Order != order {
		return nil, fmt.Errorf("the continue token is of a list in another order; begin the list again")
	}
	return &history.Position{Time: t.Time, UID: t.UID}, nil
}

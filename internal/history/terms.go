package history

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

const (
	// fewJobs is how many jobs are looked at one by one, without need for an order.
	fewJobs = 1000
	// maxCounted is how many of a query's tags and labels are counted.
	maxCounted = 4
	// maxAlternatives is how many values of a label are looked for by their terms.
	maxAlternatives = 16
)

// leading finds the tag or label by whose terms the jobs of a query are found best: the terms of which every job has one.
// There is none where other ways are better.
//
// In one project terms are in the order of lists by submission: a page of them needs no others. Where something else is asked
// too or another order, a term of few jobs leads to them, while one of many may be on all that are looked at in vain; then
// the indexes of the columns are better.
func (s *Store) leading(ctx context.Context, q *Query) ([]string, error) {
	candidates := q.candidates()
	if len(candidates) == 0 {
		return nil, nil
	}
	ordered := q.orderedByTerms()
	if ordered && len(candidates) == 1 {
		return candidates[0], nil
	}
	var rarest []string
	fewest := fewJobs
	if ordered {
		rarest = candidates[0]
	}
	for _, terms := range candidates {
		text, args := q.countSQL(terms, fewJobs)
		var count int
		// The plan is made for the values at hand, as that of the list.
		row := s.pool.QueryRow(ctx, text, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
		if err := row.Scan(&count); err != nil {
			return nil, fmt.Errorf("count the jobs of a tag or label: %w", err)
		}
		if count < fewest {
			rarest, fewest = terms, count
		}
	}
	return rarest, nil
}

// candidates are the terms of each tag and label that a job must have.
func (q *Query) candidates() [][]string {
	var candidates [][]string
	for _, m := range q.Tags {
		if !m.Not {
			candidates = append(candidates, []string{"#" + m.Tag})
		}
	}
	for _, m := range q.Labels {
		if !m.Not && len(m.Values) <= maxAlternatives {
			candidates = append(candidates, m.terms())
		}
	}
	return candidates[:min(len(candidates), maxCounted)]
}

// terms are those of which a job that matches has one.
func (m *LabelMatch) terms() []string {
	if len(m.Values) == 0 {
		return []string{m.Key}
	}
	terms := make([]string, 0, len(m.Values))
	for _, value := range m.Values {
		terms = append(terms, m.Key+"="+value)
	}
	return terms
}

// orderedByTerms reports whether the rows of a term are in the order of the list, and nothing else is asked that would find
// its jobs.
func (q *Query) orderedByTerms() bool {
	if _, one := q.namespace(); !one || q.Order == ByFinishDescending || q.UID != nil {
		return false
	}
	for _, m := range q.Equal {
		if m.Column != ColumnNamespace && !m.Not {
			return false
		}
	}
	return true
}

// namespace is the one that is searched, if it is one.
func (q *Query) namespace() (value string, one bool) {
	for _, m := range q.Equal {
		if m.Column == ColumnNamespace && !m.Not {
			return m.Value, true
		}
	}
	return "", false
}

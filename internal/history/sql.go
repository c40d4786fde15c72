package history

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// jobColumns are those of Job, in its order.
const jobColumns = `j.submitted_at, j.uid, j.namespace, j.name, j.labels, j.submitted_by, j.cluster, j.image, j.image_digest,
	j.command, j.args, j.command_truncated, j.preset, j.gpus, j.gpu_model, j.replicas, j.tags, j.description, j.phase, j.reason,
	j.message, j.exit_code, j.started_at, j.finished_at, j.deleted_at, j.attempts, j.run_seconds, j.node, j.cost::text,
	j.currency, j.sequence, j.resource_version, j.pool, j.cpu_millis, j.memory_bytes, j.price_per_hour::text, j.spec,
	j.watt_hours::text, j.co2_grams::text, j.energy_schedule`

// statement is a query in the making. Every value is a parameter.
type statement struct {
	args []any
	all  []string
}

// sql is the query in SQL. Where leading is given, the jobs are those that have one of these terms, and are found by them.
func (q *Query) sql(leading []string) (text string, args []any) {
	s := &statement{}
	from, at := "jobs j", "j.submitted_at"
	if leading != nil {
		// The rows of terms come in the order of the list and each leads to one job, so that a page reads little more than it
		// holds. The planner, that cannot know how seldom the two tables disagree, is kept from another way (OFFSET 0).
		from, at = "("+s.termRows(q, leading)+") t CROSS JOIN LATERAL (SELECT * FROM jobs WHERE jobs.submitted_at = t.submitted_at AND jobs.uid = t.uid OFFSET 0) j", "t.submitted_at"
	}
	s.filter(q)
	uid := strings.Replace(at, "submitted_at", "uid", 1)
	s.times(q, at)
	direction, beyond := "DESC", "<"
	switch q.Order {
	case BySubmission:
		direction, beyond = "ASC", ">"
	case ByFinishDescending:
		at, uid = "j.finished_at", "j.uid"
		s.where(false, "j.finished_at IS NOT NULL")
	}
	if q.After != nil {
		lastTime, lastUID := s.parameter(q.After.Time), s.parameter(q.After.UID)
		s.where(false, fmt.Sprintf("(%s, %s) %s (%s, %s)", at, uid, beyond, lastTime, lastUID))
		// Said apart, so that whole months can be left out.
		s.where(false, fmt.Sprintf("%s %s= %s", at, beyond, lastTime))
	}
	text = "SELECT " + jobColumns + " FROM " + from + s.conditions()
	text += fmt.Sprintf(" ORDER BY %s %s, %s %s LIMIT %d", at, direction, uid, direction, q.PageSize+1)
	return text, s.args
}

// countSQL counts the jobs of the query's projects and times that have one of the terms, up to a limit.
func (q *Query) countSQL(terms []string, limit int) (text string, args []any) {
	s := &statement{}
	rows := s.termRows(q, terms)
	s.times(q, "t.submitted_at")
	return fmt.Sprintf("SELECT count(*) FROM (SELECT FROM (%s) t%s LIMIT %d) counted", rows, s.conditions(), limit), s.args
}

// termRows selects the rows of terms, each in the order of lists where one project is searched.
func (s *statement) termRows(q *Query, terms []string) string {
	namespace := ""
	if value, one := q.namespace(); one {
		namespace = " AND namespace = " + s.parameter(value)
	}
	rows := make([]string, 0, len(terms))
	for _, term := range terms {
		rows = append(rows, "SELECT submitted_at, uid FROM job_terms WHERE term = "+s.parameter(term)+namespace)
	}
	return strings.Join(rows, " UNION ALL ")
}

// filter asks of a job all that the query asks but its times.
func (s *statement) filter(q *Query) {
	for _, m := range q.Equal {
		s.where(m.Not, "j."+string(m.Column)+" = "+s.parameter(m.Value))
	}
	if q.UID != nil {
		s.where(false, "j.uid BETWEEN "+s.parameter(q.UID.First)+" AND "+s.parameter(q.UID.Last))
	}
	for _, m := range q.Tags {
		s.where(m.Not, "j.tags @> "+s.parameter([]string{m.Tag}))
	}
	for _, m := range q.Labels {
		s.where(m.Not, m.sql(s.parameter))
	}
}

func (s *statement) times(q *Query, column string) {
	if !q.Since.IsZero() {
		s.where(false, column+" >= "+s.parameter(q.Since))
	}
	if !q.Until.IsZero() {
		s.where(false, column+" < "+s.parameter(q.Until))
	}
}

func (s *statement) parameter(value any) string {
	s.args = append(s.args, value)
	return "$" + strconv.Itoa(len(s.args))
}

func (s *statement) where(not bool, condition string) {
	if not {
		condition = "NOT (" + condition + ")"
	}
	s.all = append(s.all, condition)
}

func (s *statement) conditions() string {
	if len(s.all) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(s.all, " AND ")
}

func (m *LabelMatch) sql(parameter func(any) string) string {
	switch len(m.Values) {
	case 0:
		return "j.labels ? " + parameter(m.Key)
	case 1:
		// A map of strings always encodes.
		pair, _ := json.Marshal(map[string]string{m.Key: m.Values[0]})
		return "j.labels @> " + parameter(string(pair)) + "::jsonb"
	}
	// A label that is not there is none of the values.
	return "coalesce(j.labels ->> " + parameter(m.Key) + " = ANY (" + parameter(m.Values) + "), false)"
}

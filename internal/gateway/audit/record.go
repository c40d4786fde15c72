// Package audit keeps who asked the gateway for what, and whether it was allowed. Records are added to PostgreSQL and never
// changed. Writing them holds up no request: they wait in memory, within a bound, and what does not fit is in the program's
// own log.
package audit

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// Record is somebody who signs in or out or is refused at the door, or one request that was to change something, read secrets, opened a
// stream or was refused, or a stream that was cut, or a visit of the page of a job.
// Nothing of a body is in it but the name of what is made, and no secret.
type Record struct {
	// ID of a request to the API server; in that one's own audit log it has the same. A stream that is cut has a second record.
	ID uuid.UUID
	At time.Time
	// User is empty where it is not known who asked.
	User, Session, Via string
	// What an object is, and its Name: of one that is made, what the API server calls it in its answer.
	Verb, Group, Resource, Subresource, Namespace, Name string
	// Path of what is no object.
	Path string
	// Query is what of it may be told.
	Query   string
	Allowed bool
	// Code of the answer; 0 where a stream was cut.
	Code int
	// Reason in a word why it was refused, ended or failed.
	Reason string
	// Detail says more of the reason, for people.
	Detail string
	// Source is the address that the request came from.
	Source string
	// Issuer and Subject are how an identity provider knows who signs in.
	Issuer, Subject string
}

// maxText bounds every text of a record.
const maxText = 253

// bounded is the record with texts that fit and that a database takes.
func (r Record) bounded() Record {
	for _, text := range []*string{
		&r.User, &r.Session, &r.Via, &r.Verb, &r.Group, &r.Resource, &r.Subresource, &r.Namespace, &r.Name, &r.Path, &r.Query,
		&r.Reason, &r.Detail, &r.Source, &r.Issuer, &r.Subject,
	} {
		*text = strings.ReplaceAll(strings.ToValidUTF8((*text)[:min(len(*text), maxText)], ""), "\x00", "")
	}
	return r
}

// fields are the record for a structured log.
func (r *Record) fields() []any {
	return []any{
		"request", r.ID, "at", r.At.UTC().Format(time.RFC3339Nano), "user", r.User, "session", r.Session, "via", r.Via, "verb", r.Verb,
		"group", r.Group, "resource", r.Resource, "subresource", r.Subresource, "namespace", r.Namespace, "name", r.Name,
		"path", r.Path, "query", r.Query, "allowed", r.Allowed, "code", r.Code, "reason", r.Reason, "detail", r.Detail, "source", r.Source,
		"issuer", r.Issuer, "subject", r.Subject,
	}
}

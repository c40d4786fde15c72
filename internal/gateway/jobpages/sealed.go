package jobpages

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/session"
)

// visit is who is signed in on the host of a page: the contents both of the code with which a browser comes from the gateway
// and of the cookie that it is then given.
type visit struct {
	// Host of the page, and the UID of the job: another job of the same name is another page.
	Host   string `json:"host"`
	JobUID string `json:"job"`
	// Bind is the hash of what the browser keeps on the page's host while it signs in. It is in the code alone.
	Bind string `json:"bind,omitempty"`
	// The caller at the gateway; whether they still are, is asked each time.
	User     string            `json:"user"`
	UserUID  string            `json:"uid"`
	Identity v1alpha1.Identity `json:"identity"`
	Session  string            `json:"session"`
	Via      caller.Via        `json:"via"`
	SignedIn time.Time         `json:"at"`
	Ends     time.Time         `json:"ends"`
	// Until is when the code or the cookie itself ends.
	Until time.Time `json:"until"`
}

func (v *visit) caller() caller.Caller {
	return caller.Caller{User: v.User, UID: v.UserUID, Identity: v.Identity, Session: v.Session, Via: v.Via, IssuedAt: v.SignedIn, ExpiresAt: v.Ends}
}

// visitOf is that of a caller who is signed in at the gateway.
func visitOf(c caller.Caller) visit {
	return visit{User: c.User, UserUID: c.UID, Identity: c.Identity, Session: c.Session, Via: c.Via, SignedIn: c.IssuedAt, Ends: c.ExpiresAt}
}

var errVisit = errors.New("it was not sealed for this page, or is over")

// open reads what was sealed for a host, if it counts at a time.
func open(keys *session.Keys, purpose session.Purpose, sealed, host string, now time.Time) (visit, error) {
	if sealed == "" {
		return visit{}, errVisit
	}
	text, err := keys.Open(purpose, sealed)
	if err != nil {
		return visit{}, errVisit
	}
	var v visit
	if err := json.Unmarshal(text, &v); err != nil {
		return visit{}, errVisit
	}
	if v.Host != host || v.User == "" || !now.Before(v.Until) || !now.Before(v.Ends) {
		return visit{}, errVisit
	}
	return v, nil
}

func (v *visit) seal(keys *session.Keys, purpose session.Purpose) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("write a visit: %w", err)
	}
	return keys.Seal(purpose, text)
}

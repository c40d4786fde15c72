package kubeproxy

import (
	"errors"
	"time"

	"github.com/soma-platform/soma/internal/gateway/caller"
)

// What ends a request before its end. Its context has it as its cause.
var (
	errRevoked = errors.New("what was allowed when it began is no longer")
	errExpired = errors.New("the session or the token has ended")
	// errChanged ends a filtered watch whose filter is another one now: who watches has to list anew.
	errChanged = errors.New("what may be seen has changed")
	// errStopping ends watches when the gateway stops: who watches goes on elsewhere.
	errStopping = errors.New("the gateway stops")
)

// ongoing is a request under way, and all that is needed to ask again whether it is allowed.
type ongoing struct {
	caller  caller.Caller
	request attributes
	opened  time.Time
	// byTree tells that the tree allowed it when it began. Otherwise the API server did, for a reason that Soma does not know.
	byTree bool
	// filter is what the stream shows some of, and sight what of it could be seen when it began.
	filter *filter
	sight  string
	// begun tells whether an answer began.
	begun func() bool
	// cut ends it.
	cut func(cause error)
}

// Owner is the user.
func (s *ongoing) Owner() string { return s.caller.User }

// Long tells that it stays open.
func (s *ongoing) Long() bool { return s.request.long }

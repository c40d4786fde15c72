package kubeproxy

import (
	"errors"
	"sync"
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

// stream is a request under way, and all that is needed to ask again whether it is allowed. A short request is one too: it may
// take longer than it takes to revoke a right.
type stream struct {
	caller  caller.Caller
	request attributes
	opened  time.Time
	// byTree tells that the tree allowed it when it began. Otherwise the API server did, for a reason that Soma does not know.
	byTree bool
	// filter is what the stream shows some of, and sight what of it could be seen when it began.
	filter *filter
	sight  string
	// cut ends it.
	cut func(cause error)
}

// streams are all requests under way, by user.
type streams struct {
	mu    sync.Mutex
	users map[string]map[*stream]struct{}
	long  map[string]int
	// most that a user may have of long ones, and of short ones.
	mostLong, mostShort int
}

func newStreams(l Limits) *streams {
	return &streams{users: map[string]map[*stream]struct{}{}, long: map[string]int{}, mostLong: l.Streams, mostShort: l.Requests}
}

// add takes a stream in, unless the user has too many.
func (s *streams) add(one *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	user := one.caller.User
	switch {
	case !one.request.long && len(s.users[user])-s.long[user] >= s.mostShort, one.request.long && s.long[user] >= s.mostLong:
		return false
	case one.request.long:
		s.long[user]++
	}
	if s.users[user] == nil {
		s.users[user] = map[*stream]struct{}{}
	}
	s.users[user][one] = struct{}{}
	return true
}

// remove takes a stream out.
func (s *streams) remove(one *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	user := one.caller.User
	if _, there := s.users[user][one]; !there {
		return
	}
	if delete(s.users[user], one); len(s.users[user]) == 0 {
		delete(s.users, user)
	}
	if one.request.long {
		if s.long[user]--; s.long[user] == 0 {
			delete(s.long, user)
		}
	}
}

// of are the streams of users; of all where none is named.
func (s *streams) of(users ...string) []*stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*stream
	if len(users) == 0 {
		for _, those := range s.users {
			for one := range those {
				found = append(found, one)
			}
		}
		return found
	}
	for _, user := range users {
		for one := range s.users[user] {
			found = append(found, one)
		}
	}
	return found
}

// open is how many streams there are, short requests left out.
func (s *streams) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := 0
	for _, some := range s.long {
		count += some
	}
	return count
}

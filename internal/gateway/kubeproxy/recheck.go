package kubeproxy

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/authority"
)

const (
	// recheckInterval is how often all that is open is asked about again, whether or not anything is known to have changed.
	recheckInterval = 10 * time.Second
	// askers are how many questions are put to the API server at the same time, and askPatience how long it may take.
	askers      = 8
	askPatience = 5 * time.Second
)

// changes collects whose rights may have changed until somebody looks. What is told while nobody does costs one entry a user.
type changes struct {
	mu    sync.Mutex
	users map[string]struct{}
	wake  chan struct{}
}

func newChanges() *changes {
	return &changes{users: map[string]struct{}{}, wake: make(chan struct{}, 1)}
}

// note is told of changes by the authority.
func (c *changes) note(change authority.Change) {
	if len(change.Users) == 0 {
		return
	}
	c.mu.Lock()
	for _, user := range change.Users {
		c.users[user] = struct{}{}
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default: // whoever looks is about to
	}
}

func (c *changes) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	users := make([]string, 0, len(c.users))
	for user := range c.users {
		users = append(users, user)
	}
	clear(c.users)
	return users
}

// Run asks again and again whether what is open is still allowed, until the context ends.
func (p *Proxy) Run(ctx context.Context) error {
	ticker := p.clock.NewTicker(recheckInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			for _, s := range p.streams.Of() {
				if s.request.Verb == "watch" {
					s.cut(errStopping)
				}
			}
			return nil
		case <-ticker.C():
			p.recheck(ctx, p.streams.Of())
		case <-p.changes.wake:
			if users := p.changes.take(); len(users) > 0 {
				p.recheck(ctx, p.streams.Of(users...))
			}
		}
	}
}

// recheck cuts those of the streams that are allowed no longer. What cannot be found out goes on: nothing new begins without
// an answer.
func (p *Proxy) recheck(ctx context.Context, open []*ongoing) {
	now := p.clock.Now()
	trees := map[string]*access.Tree{}
	var unsure []*ongoing
	for _, s := range open {
		if end := s.caller.StreamsEnd(); !end.IsZero() && !now.Before(end) {
			s.cut(errExpired)
			continue
		}
		if !p.authenticator.StillValid(s.caller) {
			s.cut(errRevoked)
			continue
		}
		tree := trees[s.caller.User]
		if tree == nil || s.caller.Scope != nil {
			if tree = p.tree(&s.caller); s.caller.Scope == nil {
				trees[s.caller.User] = tree
			}
		}
		switch v, cause := p.judge(s, tree); v {
		case cut:
			s.cut(cause)
		case ask:
			// What is not answered yet, the API server is about to decide itself.
			if s.begun() {
				unsure = append(unsure, s)
			}
		case keep:
		}
	}
	p.askAbout(ctx, unsure)
}

// askAbout cuts those of the streams that the API server no longer allows.
func (p *Proxy) askAbout(ctx context.Context, unsure []*ongoing) {
	var group errgroup.Group
	group.SetLimit(askers)
	// The same question of one user is put once.
	same := map[string][]*ongoing{}
	for _, s := range unsure {
		key := s.caller.User + " " + s.request.key()
		same[key] = append(same[key], s)
	}
	for _, those := range same {
		group.Go(func() error {
			allowed, err := p.allowedByServer(ctx, those[0])
			if err != nil {
				p.log.Error(err, "Could not find out whether an open stream is still allowed", "user", those[0].caller.User)
				return nil
			}
			for _, s := range those {
				if !allowed {
					s.cut(errRevoked)
				}
			}
			return nil
		})
	}
	_ = group.Wait() // the functions return no error
}

// allowedByServer asks the API server whether it allows the user what the stream does.
func (p *Proxy) allowedByServer(ctx context.Context, s *ongoing) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	spec := authorizationv1.SubjectAccessReviewSpec{
		User: access.UserPrefix + s.caller.User, Groups: []string{access.UsersGroup, "system:authenticated"},
	}
	if a := &s.request; a.resource {
		spec.ResourceAttributes = &authorizationv1.ResourceAttributes{
			Verb: a.Verb, Group: a.Group, Version: a.version, Resource: a.Resource, Subresource: a.Subresource,
			Namespace: a.Namespace, Name: a.Name,
		}
	} else {
		spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Verb: a.Verb, Path: a.path}
	}
	review := &authorizationv1.SubjectAccessReview{Spec: spec}
	review, err := p.reviews.SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return review.Status.Allowed, nil
}

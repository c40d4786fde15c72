package stream

import "sync"

// Stream is a request under way, which can be asked about again. A short one is one too: it may take longer than it takes to
// revoke a right.
type Stream interface {
	comparable
	// Owner is who made it.
	Owner() string
	// Long tells that it stays open.
	Long() bool
}

// Open are all streams under way, by owner.
type Open[S Stream] struct {
	mu     sync.Mutex
	owners map[string]map[S]struct{}
	long   map[string]int
	// most that an owner may have of long ones, and of short ones.
	mostLong, mostShort int
}

// NewOpen lets an owner have so many long streams, and so many short ones, at a time.
func NewOpen[S Stream](mostLong, mostShort int) *Open[S] {
	return &Open[S]{owners: map[string]map[S]struct{}{}, long: map[string]int{}, mostLong: mostLong, mostShort: mostShort}
}

// Add takes a stream in, unless its owner has too many.
func (o *Open[S]) Add(one S) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	owner := one.Owner()
	switch {
	case !one.Long() && len(o.owners[owner])-o.long[owner] >= o.mostShort, one.Long() && o.long[owner] >= o.mostLong:
		return false
	case one.Long():
		o.long[owner]++
	}
	if o.owners[owner] == nil {
		o.owners[owner] = map[S]struct{}{}
	}
	o.owners[owner][one] = struct{}{}
	return true
}

// Remove takes a stream out.
func (o *Open[S]) Remove(one S) {
	o.mu.Lock()
	defer o.mu.Unlock()
	owner := one.Owner()
	if _, there := o.owners[owner][one]; !there {
		return
	}
	if delete(o.owners[owner], one); len(o.owners[owner]) == 0 {
		delete(o.owners, owner)
	}
	if one.Long() {
		if o.long[owner]--; o.long[owner] == 0 {
			delete(o.long, owner)
		}
	}
}

// Of are the streams of owners; of all where none is named.
func (o *Open[S]) Of(owners ...string) []S {
	o.mu.Lock()
	defer o.mu.Unlock()
	var found []S
	if len(owners) == 0 {
		for _, those := range o.owners {
			for one := range those {
				found = append(found, one)
			}
		}
		return found
	}
	for _, owner := range owners {
		for one := range o.owners[owner] {
			found = append(found, one)
		}
	}
	return found
}

// Count is how many streams there are, short ones left out.
func (o *Open[S]) Count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	count := 0
	for _, some := range o.long {
		count += some
	}
	return count
}

package faults

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/soma-platform/soma/internal/testing/faultproxy"
)

// again tells how a test is done again, with settings of the command besides its name.
func again(t *testing.T, err error, settings ...string) {
	t.Helper()
	t.Errorf("%v\nTo do it again: %s", err, command(t, settings...))
}

func command(t *testing.T, settings ...string) string {
	name, _, _ := strings.Cut(t.Name(), "/")
	command := strings.TrimSpace("make test-faults RUN=" + name + " " + strings.Join(settings, " "))
	if which, of := part(); of > 1 {
		command = fmt.Sprintf("SOMA_FAULT_PART=%d/%d %s", which, of, command)
	}
	return command
}

// seeded is the setting with which the same lots are drawn.
func seeded(seed uint64) string { return fmt.Sprintf("SEED=%d", seed) }

// times is how often something is tried.
func times(sample, all int) int {
	if whole() {
		_, of := part()
		return (all + of - 1) / of
	}
	return sample
}

// spare is how many of so many faults may never happen. What is written when is not quite the same each time: what changes
// together is at times written together, and then a write is missing at which something was to happen.
func spare(faults int) int { return max(1, faults/10) }

var errUnmet = errors.New("it never came to the write at which something was to happen")

// meet tries until a fault has happened so many times. A try that is errUnmet does not count, and fails the test where half as many
// come to nothing; any other error fails it as it is.
func meet(t *testing.T, faults int, seed uint64, try func() error) {
	t.Helper()
	for met, missed := 0, 0; met < faults; {
		err := try()
		switch {
		case !errors.Is(err, errUnmet):
			met++
			if err != nil {
				again(t, err, seeded(seed))
			}
		default:
			if missed++; missed > max(2, faults/2) {
				again(t, fmt.Errorf("of %d faults %d never happened: %w", met+missed, missed, err), seeded(seed))
				return
			}
		}
	}
}

// lot draws an end of the manager at one of the writes that it made undisturbed.
func lot(random *rand.Rand, writes []faultproxy.Write) faultproxy.Fault {
	return faultproxy.Fault{Kind: faultproxy.Kinds[random.IntN(len(faultproxy.Kinds))], At: writes[random.IntN(len(writes))].At()}
}

// toServer are the writes that go to the API server. A process writes to the history on a way of its own, on which nobody sees it.
func toServer(writes []faultproxy.Write) []faultproxy.Write {
	var all []faultproxy.Write
	for _, w := range writes {
		if !strings.HasSuffix(w.What, " history") {
			all = append(all, w)
		}
	}
	return all
}

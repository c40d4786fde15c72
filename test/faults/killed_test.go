package faults

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/soma-platform/soma/internal/testing/faultproxy"
)

// sampled is at how many writes the manager is killed where it is not asked to do so at every one, and sampleTime how long that
// may take before it is enough.
const (
	sampled    = 8
	sampleTime = 75 * time.Second
)

// whole reports whether everything is to be tried, and not a part of it.
func whole() bool { return os.Getenv("SOMA_FAULTS") == "all" }

// part says which part of everything this is, of how many that run side by side (SOMA_FAULT_PART=2/3): 1 of 1 if nobody says.
func part() (which, of int) {
	if _, err := fmt.Sscanf(os.Getenv("SOMA_FAULT_PART"), "%d/%d", &which, &of); err != nil || which < 1 || of < which {
		return 1, 1
	}
	return which, of
}

// seed is the one that a person gave, or another each time.
func seed(t *testing.T) (*rand.Rand, uint64) {
	t.Helper()
	n := uint64(time.Now().UnixNano()) //nolint:gosec // any number will do
	if given := os.Getenv("SOMA_FAULT_SEED"); given != "" {
		var err error
		if n, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("SEED=%s is no number", given)
		}
	}
	which, _ := part()
	return rand.New(rand.NewPCG(n, uint64(which-1))), n //nolint:gosec // from 0 on
}

// undisturbed is the run that all others are compared with; it is lived through once.
func undisturbed(t *testing.T) *run {
	t.Helper()
	if there.played != nil {
		return there.played
	}
	r, err := there.play(t.Context(), succession(t.Context()))
	if err != nil {
		t.Fatalf("without any fault: %v\nTo do it again: %s", err, command(t))
	}
	if len(r.writes) < 100 {
		t.Fatalf("the history takes %d writes; it is not what it should be\nTo do it again: %s", len(r.writes), command(t))
	}
	t.Logf("Undisturbed the history takes %d writes and %s.", len(r.writes), r.took.Round(time.Millisecond))
	there.played = r
	return r
}

// A manager that is killed before a write, when it has taken effect and nobody was told, or after it, is followed by another
// that finishes all it had begun, and does nothing twice.
func TestKilledAtEveryWrite(t *testing.T) {
	plans, setting := planned(t, undisturbed(t))
	var missed []string
	tried, began := 0, time.Now()
	for _, fault := range plans {
		if !whole() && time.Since(began) > sampleTime {
			break
		}
		tried++
		r, err := there.play(t.Context(), succession(t.Context(), func(proxy *faultproxy.Proxy, kill func()) { proxy.Arm(fault, kill) }))
		switch {
		case err != nil:
			t.Errorf("%s\n%v\nTo do it again: make test-faults FAULT='%[1]s'", fault, err)
		case !r.met:
			missed = append(missed, fault.String())
		}
		if testing.Verbose() {
			fmt.Printf("%-10s met: %-5t %s\n", r.took.Round(10*time.Millisecond), r.met, fault)
		}
	}
	t.Logf("The manager was killed %d times; %d times it never came to the write.", tried-len(missed), len(missed))
	if len(missed) == tried || len(missed) > spare(tried) {
		again(t, fmt.Errorf("of %d faults %d never happened, so the history is not the same from one run to another:\n%s",
			tried, len(missed), strings.Join(missed, "\n")), setting)
	}
}

// planned are all faults, a sample of them, or the one that a person asks for, and the setting with which they are the same again.
func planned(t *testing.T, r *run) (plans []faultproxy.Fault, setting string) {
	t.Helper()
	if text := os.Getenv("SOMA_FAULT"); text != "" {
		fault, err := faultproxy.ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		return []faultproxy.Fault{fault}, fmt.Sprintf("FAULT='%s'", fault)
	}
	var all []faultproxy.Fault
	for _, write := range r.writes {
		for _, kind := range faultproxy.Kinds {
			all = append(all, faultproxy.Fault{Kind: kind, At: write.At()})
		}
	}
	if whole() {
		which, of := part()
		var mine []faultproxy.Fault
		for i := which - 1; i < len(all); i += of {
			mine = append(mine, all[i])
		}
		return mine, ""
	}
	random, seed := seed(t)
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(sampled, len(all))], seeded(seed)
}

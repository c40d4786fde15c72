package job

import (
	"fmt"
	"math"
	"slices"
	"time"

	"k8s.io/utils/ptr"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/workload"
)

const (
	// defaultRetries is the budget of a job that is restarted and does not say how often.
	defaultRetries = 3
	// freeRetries bounds attempts that cost nothing, in each category: nothing is tried for ever.
	freeRetries = 100
	// firstBackOff and longestBackOff bound the pause before an attempt that follows another where the job does not say; it
	// doubles in between.
	firstBackOff   = 2 * time.Second
	longestBackOff = 5 * time.Minute
	// countedCodes is how many different exit codes of a job are counted one by one.
	countedCodes = 32
)

// backOff is the pause after so many others, between a first and a longest one.
func backOff(first, longest time.Duration, pauses int) time.Duration {
	doubled := float64(first) * math.Pow(2, float64(min(pauses, 32)))
	return time.Duration(min(doubled, float64(longest)))
}

// failure is how an attempt failed.
type failure struct {
	category platformv1.FailureCategory
	// exit is the code with which the program ended by itself; 0 where it did not.
	exit int32
}

func failureOf(reason platformv1.JobReason, exit *int32) failure {
	f := failure{category: workload.Category(reason)}
	if f.category == platformv1.FailureExitCode {
		f.exit = ptr.Deref(exit, 0)
	}
	return f
}

// count adds a failure to those that the job had.
func count(failures []platformv1.FailureCount, f failure) []platformv1.FailureCount {
	failures = slices.Clone(failures)
	at := slices.IndexFunc(failures, func(c platformv1.FailureCount) bool { return c.Category == f.category && c.ExitCode == f.exit })
	if at < 0 && f.exit != 0 && codes(failures) >= countedCodes {
		return count(failures, failure{category: f.category})
	}
	if at < 0 {
		return append(failures, platformv1.FailureCount{Category: f.category, ExitCode: f.exit, Count: 1})
	}
	failures[at].Count++
	return failures
}

func codes(failures []platformv1.FailureCount) (n int) {
	for i := range failures {
		if failures[i].ExitCode != 0 {
			n++
		}
	}
	return n
}

// matches reports whether a rule is about a failure.
func matches(rule *platformv1.RestartRule, f failure) bool {
	if len(rule.ExitCodes) > 0 {
		return f.category == platformv1.FailureExitCode && slices.Contains(rule.ExitCodes, f.exit)
	}
	return slices.Contains(rule.Categories, f.category)
}

// sequel is what follows a failed attempt.
type sequel struct {
	// again reports that another attempt follows, free that it costs nothing of the budget.
	again, free bool
	pause       time.Duration
	// why tells a person, before what happened.
	why string
}

// follow says what follows a failed attempt of a job that is restarted. Failures are those that it had so far, this one among
// them; retries are those that cost something of its budget.
func follow(restart *platformv1.Restart, f failure, failures []platformv1.FailureCount, retries int32) sequel {
	action, bound, by := platformv1.RestartRetry, int32(math.MaxInt32), ""
	had := failed(failures, func(other failure) bool { return other.category == f.category })
	first, longest := seconds(restart.BackoffSeconds, firstBackOff), seconds(restart.MaxBackoffSeconds, longestBackOff)
	pause := backOff(first, longest, int(had-1))
	if workload.NotItsDoing(f.category) {
		action, bound = platformv1.RestartRetryFree, freeRetries
	}
	for i := range restart.Rules {
		rule := &restart.Rules[i]
		if !matches(rule, f) {
			continue
		}
		had = failed(failures, func(other failure) bool { return matches(rule, other) })
		action, bound, by = rule.Action, math.MaxInt32, fmt.Sprintf(" by restart.rules[%d]", i)
		if action == platformv1.RestartRetryFree {
			bound = freeRetries
		}
		bound = ptr.Deref(rule.MaxRetries, bound)
		if rule.BackoffSeconds != nil || rule.MaxBackoffSeconds != nil {
			pause = backOff(seconds(rule.BackoffSeconds, first), seconds(rule.MaxBackoffSeconds, longest), int(had-1))
		}
		break
	}
	budget := ptr.Deref(restart.MaxRetries, defaultRetries)
	switch {
	case action == platformv1.RestartFail:
		return sequel{why: "not tried again" + by}
	case had > bound:
		return sequel{why: fmt.Sprintf("not tried again: this happened %d times, and %d are allowed%s", had, bound, by)}
	case action == platformv1.RestartRetryFree:
		return sequel{again: true, free: true, pause: pause, why: "tried again at no cost" + by}
	case retries >= budget:
		return sequel{why: fmt.Sprintf("not tried again: %d of %d retries are used", retries, budget)}
	}
	return sequel{again: true, pause: pause, why: fmt.Sprintf("retry %d of %d", retries+1, budget)}
}

// failed is how many of the failures are such.
func failed(failures []platformv1.FailureCount, such func(failure) bool) (n int32) {
	for i := range failures {
		if such(failure{failures[i].Category, failures[i].ExitCode}) {
			n += failures[i].Count
		}
	}
	return n
}

func seconds(given *int64, otherwise time.Duration) time.Duration {
	if given == nil {
		return otherwise
	}
	return time.Duration(*given) * time.Second
}

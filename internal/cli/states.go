package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// phases are all phases of a job, in the order of a job's life.
var phases = []v1alpha1.JobPhase{
	v1alpha1.JobPending, v1alpha1.JobRunning, v1alpha1.JobSuspended,
	v1alpha1.JobSucceeded, v1alpha1.JobFailed, v1alpha1.JobCancelled,
}

// stateWords are the words for several phases at once.
var stateWords = map[string][]v1alpha1.JobPhase{
	"active":   {v1alpha1.JobPending, v1alpha1.JobRunning, v1alpha1.JobSuspended},
	"finished": {v1alpha1.JobSucceeded, v1alpha1.JobFailed, v1alpha1.JobCancelled},
	"all":      phases,
}

// parseStates reads the words of --state: phases in any case, or active, finished, all.
func parseStates(words []string) ([]v1alpha1.JobPhase, error) {
	var states []v1alpha1.JobPhase
	for _, word := range words {
		found := stateWords[strings.ToLower(word)]
		for _, phase := range phases {
			if strings.EqualFold(string(phase), word) {
				found = []v1alpha1.JobPhase{phase}
			}
		}
		if found == nil {
			return nil, fmt.Errorf("there is no state %q; the states are %s", word, strings.Join(stateNames(), ", "))
		}
		for _, phase := range found {
			if !slices.Contains(states, phase) {
				states = append(states, phase)
			}
		}
	}
	return states, nil
}

// stateNames are all words that parseStates knows.
func stateNames() []string {
	names := make([]string, 0, len(phases)+len(stateWords))
	for _, phase := range phases {
		names = append(names, strings.ToLower(string(phase)))
	}
	return append(names, "active", "finished", "all")
}

// stateWord is the phase as people read it; a job that no controller has seen yet is pending too.
func stateWord(phase v1alpha1.JobPhase) string {
	if phase == "" {
		return string(v1alpha1.JobPending)
	}
	return string(phase)
}

// stateReason is what the reason adds to the phase, "" where that is nothing.
func stateReason(phase v1alpha1.JobPhase, reason string) string {
	if reason == stateWord(phase) || phase == v1alpha1.JobSucceeded && reason == string(v1alpha1.JobReasonCompleted) {
		return ""
	}
	return reason
}

// stateText is the phase with what the reason adds.
func stateText(phase v1alpha1.JobPhase, reason string) string {
	if added := stateReason(phase, reason); added != "" {
		return stateWord(phase) + ", " + added
	}
	return stateWord(phase)
}

// phaseTone is what a phase means to the reader.
func phaseTone(phase v1alpha1.JobPhase) tone {
	switch phase {
	case v1alpha1.JobRunning, v1alpha1.JobSucceeded:
		return toneGood
	case v1alpha1.JobFailed:
		return toneBad
	case v1alpha1.JobCancelled, v1alpha1.JobSuspended:
		return toneWarn
	default:
		return tonePlain
	}
}

package v1alpha1

// JournalCapacity is the number of transitions that a journal can hold.
const JournalCapacity = 24

// Append adds a transition as the journal's next and reports whether there was room. The oldest entries make room only
// when the history is known to have them: a transition that was not recorded is never dropped.
func (j *Journal) Append(t Transition) bool {
	if len(j.Entries) >= JournalCapacity {
		j.Trim()
	}
	if len(j.Entries) >= JournalCapacity {
		return false
	}
	j.Sequence++
	t.Sequence = j.Sequence
	j.Entries = append(j.Entries, t)
	return true
}

// Trim drops the entries that the history is known to have.
func (j *Journal) Trim() {
	kept := 0
	for kept < len(j.Entries) && j.Entries[kept].Sequence <= j.Recorded {
		kept++
	}
	j.Entries = append([]Transition(nil), j.Entries[kept:]...)
}

// Room is the number of transitions that can still be appended.
func (j *Journal) Room() int {
	room := JournalCapacity - len(j.Entries)
	for _, entry := range j.Entries {
		if entry.Sequence <= j.Recorded {
			room++
		}
	}
	return room
}

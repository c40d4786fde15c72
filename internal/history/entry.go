package history

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platform "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/history/db"
)

// KindJob is the kind of jobs, in identities.
const KindJob = "Job"

// What the history keeps of an object is bounded, whatever the object holds.
const (
	maxLabels       = 32
	maxCommandBytes = 16 << 10
	maxMessageBytes = 4 << 10
	maxSpecBytes    = 128 << 10
)

// Journaled is an object that keeps a journal of its life.
type Journaled interface {
	client.Object
	GetJournal() *platform.Journal
}

// EntryOf makes the entry of an object. Errors are of objects that no API server hands out: a UID that is none.
func EntryOf(kind string, object Journaled) (Entry, error) {
	identity, err := IdentityOf(kind, object)
	if err != nil {
		return Entry{}, err
	}
	journal := object.GetJournal()
	entry := Entry{transitions: make([]db.InsertTransitionParams, 0, len(journal.Entries))}
	for _, t := range journal.Entries {
		entry.transitions = append(entry.transitions, db.InsertTransitionParams{
			CreatedAt: identity.CreatedAt, Uid: identity.UID, Sequence: t.Sequence, Kind: kind, At: t.Time.UTC(),
			Phase: clean(t.Phase), Reason: clean(t.Reason), Message: bounded(t.Message, maxMessageBytes),
			Attempt: t.Attempt, ExitCode: t.ExitCode, AttemptReason: clean(string(t.AttemptReason)),
		})
	}
	// The API server's versions of objects are whole numbers that grow.
	version, err := strconv.ParseInt(object.GetResourceVersion(), 10, 64)
	if err != nil {
		version = 0
	}
	if job, ok := object.(*platform.Job); ok {
		entry.job, err = jobRow(job, identity, version)
		return entry, err
	}
	entry.object = objectRow(identity, journal, version)
	return entry, nil
}

// IdentityOf names an object for good.
func IdentityOf(kind string, object client.Object) (Identity, error) {
	uid, err := uuid.Parse(string(object.GetUID()))
	if err != nil {
		return Identity{}, fmt.Errorf("the UID %q of %s %s is not a UUID: %w", object.GetUID(), kind, client.ObjectKeyFromObject(object), err)
	}
	return Identity{
		Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName(), UID: uid,
		CreatedAt: object.GetCreationTimestamp().UTC(),
	}, nil
}

func objectRow(identity Identity, journal *platform.Journal, version int64) *db.UpsertObjectParams {
	row := &db.UpsertObjectParams{
		Uid: identity.UID, Kind: identity.Kind, Namespace: identity.Namespace, Name: identity.Name,
		CreatedAt: identity.CreatedAt, Sequence: journal.Sequence, ResourceVersion: version,
	}
	if n := len(journal.Entries); n > 0 {
		newest := journal.Entries[n-1]
		row.Phase, row.Reason, row.Message = clean(newest.Phase), clean(newest.Reason), bounded(newest.Message, maxMessageBytes)
	}
	return row
}

func jobRow(job *platform.Job, identity Identity, version int64) (*db.UpsertJobParams, error) {
	labels, err := json.Marshal(boundedLabels(job.Labels))
	if err != nil {
		return nil, fmt.Errorf("encode the labels of job %s/%s: %w", job.Namespace, job.Name, err)
	}
	spec, status := &job.Spec, &job.Status
	row := &db.UpsertJobParams{
		SubmittedAt: identity.CreatedAt, Uid: identity.UID, Namespace: job.Namespace, Name: job.Name, Labels: labels,
		SubmittedBy: clean(spec.SubmittedBy), Cluster: clean(spec.Cluster), Image: clean(spec.Image), ImageDigest: clean(status.ImageDigest),
		Preset: clean(status.Preset), Replicas: spec.ReplicaCount(), Tags: cleanAll(spec.Tags), Description: clean(spec.Description),
		Phase: string(status.Phase), Reason: clean(string(status.Reason)), Message: bounded(status.Message, maxMessageBytes),
		ExitCode: status.ExitCode, Attempts: status.Attempt, RunSeconds: status.RunSeconds,
		Sequence: status.Journal.Sequence, ResourceVersion: version,
	}
	row.Command, row.Args, row.CommandTruncated = boundedCommand(spec.Command, spec.Args)
	if row.Preset == "" {
		row.Preset = clean(spec.Preset)
	}
	if status.StartTime != nil {
		row.StartedAt = utc(status.StartTime.Time)
	}
	if status.FinishTime != nil {
		row.FinishedAt = utc(status.FinishTime.Time)
	}
	if cost := status.Cost; cost != nil {
		amount := string(cost.Amount)
		row.Cost, row.Currency = &amount, cost.Currency
	}
	row.EnergySchedule = clean(spec.EnergySchedule)
	if drawn := status.Energy; drawn != nil {
		row.WattHours = given(drawn.WattHours)
		row.Co2Grams = given(drawn.CO2Grams)
	}
	place(row, job)
	if row.Spec, err = boundedSpec(spec); err != nil {
		return nil, fmt.Errorf("encode the spec of job %s/%s: %w", job.Namespace, job.Name, err)
	}
	return row, nil
}

// given is an amount, nil where there is none.
func given(amount platform.EnergyAmount) *string {
	if amount == "" {
		return nil
	}
	text := string(amount)
	return &text
}

// place says where the job runs or ran, and what all its replicas hold or held there together. A job that never had a place
// has what it asks for itself.
func place(row *db.UpsertJobParams, job *platform.Job) {
	replicas := int64(row.Replicas)
	if asked := job.Spec.Resources; asked != nil {
		if asked.CPU != nil && asked.Memory != nil {
			row.CpuMillis, row.MemoryBytes = asked.CPU.MilliValue()*replicas, asked.Memory.Value()*replicas
		}
		if asked.GPU != nil {
			row.Gpus, row.GpuModel = int64(asked.GPU.Count)*replicas, asked.GPU.Model
		}
	}
	placement := job.Status.Placement()
	row.Node, row.Pool = placement.Node, placement.Pool
	if placement.Cluster != "" {
		row.Cluster = placement.Cluster
	}
	if placement.PricePerHour != "" {
		price := string(placement.PricePerHour)
		row.PricePerHour = &price
	}
	if held := placement.Replica; held != nil {
		row.CpuMillis, row.MemoryBytes = held.CPU.MilliValue()*replicas, held.Memory.Value()*replicas
		row.Gpus, row.GpuModel = int64(held.GPUs)*replicas, held.GPUModel
	}
}

// boundedSpec is a spec as JSON, or nothing where that is too long.
func boundedSpec(spec *platform.JobSpec) ([]byte, error) {
	text, err := json.Marshal(spec)
	if err != nil || len(text) > maxSpecBytes {
		return nil, err
	}
	return text, nil
}

// boundedLabels keeps the first labels by name.
func boundedLabels(labels map[string]string) map[string]string {
	names := make([]string, 0, len(labels))
	for name := range labels {
		names = append(names, name)
	}
	slices.Sort(names)
	kept := make(map[string]string, min(len(names), maxLabels))
	for _, name := range names[:min(len(names), maxLabels)] {
		kept[name] = labels[name]
	}
	return kept
}

// boundedCommand keeps the words that fit, whole.
func boundedCommand(command, args []string) (keptCommand, keptArgs []string, truncated bool) {
	left := maxCommandBytes
	take := func(words []string) []string {
		kept := make([]string, 0, len(words))
		for _, word := range words {
			if truncated = truncated || len(word) > left; truncated {
				break
			}
			left -= len(word)
			kept = append(kept, clean(word))
		}
		return kept
	}
	return take(command), take(args), truncated
}

// clean removes what PostgreSQL's text cannot hold.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

func cleanAll(words []string) []string {
	kept := make([]string, 0, len(words))
	for _, word := range words {
		kept = append(kept, clean(word))
	}
	return kept
}

func bounded(s string, limit int) string {
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return clean(s)
}

func utc(t time.Time) *time.Time {
	t = t.UTC()
	return &t
}

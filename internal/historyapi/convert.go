package historyapi

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"

	api "github.com/soma-platform/soma/api/history/v1alpha1"
	platform "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/history"
)

// recordOf makes the object of a row.
func recordOf(job *history.Job) (api.JobRecord, error) {
	uid := types.UID(job.Uid.String())
	record := api.JobRecord{
		TypeMeta: metav1.TypeMeta{APIVersion: api.GroupVersion.String(), Kind: "JobRecord"},
		ObjectMeta: metav1.ObjectMeta{
			Name: api.RecordName(job.Name, uid), Namespace: job.Namespace, UID: uid,
			ResourceVersion:   strconv.FormatInt(job.Sequence, 10),
			CreationTimestamp: metav1.NewTime(job.SubmittedAt),
		},
		Spec: api.JobRecordSpec{
			Job: job.Name, Project: job.Namespace, User: job.SubmittedBy, Cluster: job.Cluster, Pool: job.Pool,
			Image: job.Image, ImageDigest: job.ImageDigest, Command: job.Command, Args: job.Args, CommandTruncated: job.CommandTruncated,
			Preset: job.Preset, EnergySchedule: job.EnergySchedule, GPUs: job.Gpus, GPUModel: job.GpuModel, Replicas: job.Replicas, Tags: job.Tags, Description: job.Description,
		},
		Status: api.JobRecordStatus{
			Phase: job.Phase, Reason: job.Reason, Message: job.Message, ExitCode: job.ExitCode,
			SubmitTime: metav1.NewTime(job.SubmittedAt), StartTime: timeOf(job.StartedAt), FinishTime: timeOf(job.FinishedAt),
			DeletedTime: timeOf(job.DeletedAt), Attempts: job.Attempts, RunSeconds: job.RunSeconds, Node: job.Node,
		},
	}
	if job.Cost != nil {
		record.Status.Cost = &api.Cost{Amount: *job.Cost, Currency: job.Currency}
	}
	if job.WattHours != nil {
		record.Status.Energy = &api.Energy{WattHours: *job.WattHours, CO2Grams: ptr.Deref(job.Co2Grams, "")}
	}
	if job.PricePerHour != nil {
		record.Status.PricePerHour = *job.PricePerHour
	}
	if job.CpuMillis > 0 {
		record.Spec.CPU = quantity.NewMilliQuantity(job.CpuMillis, quantity.DecimalSI)
	}
	if job.MemoryBytes > 0 {
		record.Spec.Memory = quantity.NewQuantity(job.MemoryBytes, quantity.BinarySI)
	}
	if err := json.Unmarshal(job.Labels, &record.Labels); err != nil {
		return record, fmt.Errorf("read the labels of job %s/%s: %w", job.Namespace, job.Name, err)
	}
	record.Spec.JobSpec = specOf(job)
	return record, nil
}

// specOf reads the spec of a job, where it was kept. One that another version of Soma wrote and this one cannot read is left
// out: the rest of the record, and the list that it is in, are good.
func specOf(job *history.Job) *platform.JobSpec {
	if job.Spec == nil {
		return nil
	}
	spec := &platform.JobSpec{}
	if err := json.Unmarshal(job.Spec, spec); err != nil {
		klog.ErrorS(err, "Cannot read the spec of a recorded job", "job", klog.KRef(job.Namespace, job.Name), "uid", job.Uid)
		return nil
	}
	return spec
}

func transitionsOf(rows []history.Transition) []api.Transition {
	transitions := make([]api.Transition, 0, len(rows))
	for _, row := range rows {
		transitions = append(transitions, api.Transition{
			Sequence: row.Sequence, Time: metav1.NewMicroTime(row.At), Phase: row.Phase, Reason: row.Reason,
			Message: row.Message, Attempt: row.Attempt, ExitCode: row.ExitCode, AttemptReason: row.AttemptReason,
		})
	}
	return transitions
}

// attemptsOf are the newest attempts whose ends the transitions tell.
func attemptsOf(transitions []api.Transition) []api.Attempt {
	var attempts []api.Attempt
	started := map[int32]*metav1.MicroTime{}
	for i := range transitions {
		t := &transitions[i]
		if t.Phase == string(platform.JobRunning) && started[t.Attempt] == nil {
			started[t.Attempt] = &t.Time
		}
		if t.AttemptReason == "" {
			continue
		}
		attempts = append(attempts, api.Attempt{
			Number: t.Attempt, StartTime: started[t.Attempt], EndTime: t.Time, Reason: t.AttemptReason, ExitCode: t.ExitCode, Message: t.Message,
		})
	}
	return attempts[max(0, len(attempts)-maxAttempts):]
}

func timeOf(t *time.Time) *metav1.Time {
	if t == nil {
		return nil
	}
	return &metav1.Time{Time: *t}
}

// tableColumns are what `kubectl get jobrecords` prints; those of priority 1 with `-o wide`.
var tableColumns = []metav1.TableColumnDefinition{
	{Name: "Name", Type: "string", Format: "name", Description: "Name of the record."},
	{Name: "Job", Type: "string", Description: "Name of the job."},
	{Name: "User", Type: "string", Description: "Who submitted the job."},
	{Name: "Phase", Type: "string", Description: "Phase of the job."},
	{Name: "Reason", Type: "string", Description: "Reason of the phase."},
	{Name: "Exit", Type: "string", Description: "Exit code of the job."},
	{Name: "Started", Type: "string", Description: "How long ago the job started."},
	{Name: "Ran", Type: "string", Description: "For how long the job ran, all attempts together."},
	{Name: "GPUs", Type: "integer", Description: "GPUs of all replicas together."},
	{Name: "Age", Type: "string", Description: "How long ago the job was submitted."},
	{Name: "Image", Type: "string", Description: "Image that the job named.", Priority: 1},
	{Name: "Node", Type: "string", Description: "Node of the newest attempt.", Priority: 1},
	{Name: "Cost", Type: "string", Description: "Cost of the attempts that ended.", Priority: 1},
	{Name: "Energy", Type: "string", Description: "Energy of the attempts that ended.", Priority: 1},
	{Name: "Tags", Type: "string", Description: "Tags of the job.", Priority: 1},
	{Name: "Message", Type: "string", Description: "What happened, for a person.", Priority: 1},
}

func cells(record *api.JobRecord, now time.Time) []any {
	exit, started, cost, energy := "", "", "", ""
	if code := record.Status.ExitCode; code != nil {
		exit = strconv.Itoa(int(*code))
	}
	if start := record.Status.StartTime; start != nil {
		started = duration.HumanDuration(now.Sub(start.Time))
	}
	if c := record.Status.Cost; c != nil {
		cost = c.Amount + " " + c.Currency
	}
	if e := record.Status.Energy; e != nil {
		energy = e.WattHours + " Wh"
	}
	return []any{
		record.Name, record.Spec.Job, record.Spec.User, record.Status.Phase, record.Status.Reason, exit, started,
		ran(record, now), record.Spec.GPUs, duration.HumanDuration(now.Sub(record.CreationTimestamp.Time)),
		record.Spec.Image, record.Status.Node, cost, energy, fmt.Sprint(record.Spec.Tags), record.Status.Message,
	}
}

// ran is for how long the job ran, or runs.
func ran(record *api.JobRecord, now time.Time) string {
	start, end := record.Status.StartTime, record.Status.FinishTime
	switch {
	case start == nil:
		return ""
	case record.Status.RunSeconds > 0 && end != nil:
		return duration.HumanDuration(time.Duration(record.Status.RunSeconds) * time.Second)
	case end != nil:
		return duration.HumanDuration(end.Sub(start.Time))
	case record.Status.DeletedTime != nil:
		return ""
	}
	return duration.HumanDuration(now.Sub(start.Time))
}

package history

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	platform "github.com/soma-platform/soma/api/v1alpha1"
)

func TestPlace(t *testing.T) {
	two := int32(2)
	cpu, memory := resource.MustParse("2"), resource.MustParse("1Ki")
	replica := platform.ReplicaResources{CPU: resource.MustParse("500m"), Memory: resource.MustParse("2Ki"), GPUs: 4, GPUModel: "H100"}
	first := platform.Attempt{Number: 1, Node: "n1", Cluster: "local", Pool: "a", PricePerHour: "1.5", Replica: &replica}
	tests := map[string]struct {
		spec   platform.JobSpec
		status platform.JobStatus
		want   string
	}{
		"nothing known":   {want: "   0xGPU  0m 0 "},
		"asked for":       {spec: platform.JobSpec{Cluster: "far", Replicas: &two, Resources: &platform.JobResources{CPU: &cpu, Memory: &memory, GPU: &platform.GPUs{Count: 3, Model: "A100"}}}, want: "far   6xGPU A100 4000m 2048 "},
		"shm of a preset": {spec: platform.JobSpec{Preset: "small", Resources: &platform.JobResources{SHM: &memory}}, want: "   0xGPU  0m 0 "},
		"an attempt that ended": {spec: platform.JobSpec{Replicas: &two}, status: platform.JobStatus{Attempts: []platform.Attempt{first}},
			want: "local a n1 8xGPU H100 1000m 4096 1.5"},
		"the newest of attempts": {status: platform.JobStatus{Attempts: []platform.Attempt{first, {Number: 2, Node: "n2", Cluster: "local"}}},
			want: "local  n2 0xGPU  0m 0 "},
		"a reservation before an attempt that ended": {status: platform.JobStatus{Attempts: []platform.Attempt{first},
			Reservation: &platform.Reservation{Attempt: 2, Cluster: "near", Pool: "b", Nodes: []platform.NodeShare{{Node: "n3", Replicas: 1}}, Replica: replica}},
			want: "near b n3 4xGPU H100 500m 2048 "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			job := newJob("train", time.Now(), 1)
			job.Spec, job.Status = test.spec, test.status
			row := mustEntry(t, job).job
			price := ""
			if row.PricePerHour != nil {
				price = *row.PricePerHour
			}
			got := fmt.Sprintf("%s %s %s %dxGPU %s %dm %d %s", row.Cluster, row.Pool, row.Node, row.Gpus, row.GpuModel, row.CpuMillis, row.MemoryBytes, price)
			if got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}

// A spec comes back as it was, also with text that PostgreSQL's own types refuse; one that is too long is left out.
func TestSpecIsKept(t *testing.T) {
	store := newStore(t)
	seconds := int64(60)
	job := newJob("train", time.Now(), 1)
	job.Spec.LifeSpanSeconds = &seconds
	job.Spec.Env = []platform.EnvVar{{Name: "LR", Value: "a\x00b\\u0000é"}, {Name: "TOKEN", Secret: &platform.SecretKey{Name: "s", Key: "k"}}}
	job.Spec.Volumes = []platform.Volume{{MountPath: "/scratch", Scratch: &platform.ScratchVolume{Size: resource.MustParse("1Gi")}}}
	long := newJob("long", time.Now(), 1)
	long.Spec.Args = []string{strings.Repeat("x", maxSpecBytes)}
	mustRecord(t, store, mustEntry(t, job), mustEntry(t, long))
	row, _ := mustGet(t, store, job)
	var got platform.JobSpec
	if err := json.Unmarshal(row.Spec, &got); err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(job.Spec)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := json.Marshal(got); err != nil || !reflect.DeepEqual(again, want) {
		t.Errorf("want %s, got %s, %v", want, again, err)
	}
	if row, _ := mustGet(t, store, long); row.Spec != nil {
		t.Errorf("want no spec of %d bytes", len(row.Spec))
	}
}

// A page of very large jobs is shorter than asked for, and the list goes on after it.
func TestListBoundsPages(t *testing.T) {
	store := newStore(t)
	const jobs = 200
	var entries []Entry
	for i := range jobs {
		job := newJob(fmt.Sprintf("large-%d", i), time.Now(), 1)
		job.Spec.Args = []string{strings.Repeat("x", maxSpecBytes-1024)}
		entries = append(entries, mustEntry(t, job))
	}
	mustRecord(t, store, entries...)
	query, seen, pages := Query{PageSize: 1000}, 0, 0
	for {
		rows, next, err := store.List(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		seen, pages = seen+len(rows), pages+1
		if next == nil {
			break
		}
		query.After = next
	}
	if seen != jobs || pages != 2 {
		t.Errorf("want %d jobs in 2 pages, got %d in %d", jobs, seen, pages)
	}
}

package historyapi

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/internal/history"
)

func TestRecordOf(t *testing.T) {
	price, drawn, grams := "3.600000", "1250.500000", "500.200000"
	row := history.Job{
		Name: "train", Namespace: "vision", Uid: uuid.MustParse("0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"), SubmittedAt: time.Now(),
		Labels: []byte(`{"team":"a"}`), Pool: "a100", CpuMillis: 1500, MemoryBytes: 8 << 30, PricePerHour: &price,
		WattHours: &drawn, Co2Grams: &grams, EnergySchedule: "night",
	}
	tests := map[string]struct {
		spec      string
		wantImage string
		wantSpec  bool
	}{
		"no spec":                {},
		"a spec":                 {spec: `{"image":"trainer:1","env":[{"name":"LR","value":"1"}]}`, wantSpec: true, wantImage: "trainer:1"},
		"of a newer version":     {spec: `{"image":"trainer:1","color":"red"}`, wantSpec: true, wantImage: "trainer:1"},
		"that cannot be read":    {spec: `{"image":{"name":"trainer"}}`},
		"of another version too": {spec: `[]`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			row.Spec = nil
			if test.spec != "" {
				row.Spec = []byte(test.spec)
			}
			record, err := recordOf(&row)
			if err != nil {
				t.Fatal(err)
			}
			if record.Name != "train-0a1b2c3d4e" || record.Labels["team"] != "a" || record.Spec.Pool != "a100" ||
				record.Spec.CPU.String() != "1500m" || record.Spec.Memory.String() != "8Gi" || record.Status.PricePerHour != price {
				t.Errorf("unexpected record: %+v", record)
			}
			if got := record.Status.Energy; got == nil || *got != (api.Energy{WattHours: drawn, CO2Grams: grams}) || record.Spec.EnergySchedule != "night" {
				t.Errorf("unexpected energy: %+v of schedule %q", got, record.Spec.EnergySchedule)
			}
			if got := record.Spec.JobSpec; (got != nil) != test.wantSpec || got != nil && got.Image != test.wantImage {
				t.Errorf("unexpected spec: %+v", got)
			}
		})
	}
}

func TestAttemptsOf(t *testing.T) {
	at := func(second int64) metav1.MicroTime { return metav1.NewMicroTime(time.Unix(second, 0)) }
	code := func(value int32) *int32 { return &value }
	first, second := at(1), at(11)
	transitions := []api.Transition{
		{Time: at(0), Phase: "Pending"},
		{Time: first, Phase: "Running", Attempt: 1},
		{Time: at(5), Phase: "Pending", Reason: "BackOff", Message: "short of memory", Attempt: 1, AttemptReason: "OOMKilled", ExitCode: code(137)},
		{Time: second, Phase: "Running", Attempt: 2},
		{Time: at(15), Phase: "Pending", Reason: "Queued", Attempt: 2, AttemptReason: "NodeLost"},
		{Time: at(25), Phase: "Failed", Reason: "ImageNotFound", Attempt: 3, AttemptReason: "ImageNotFound"},
		{Time: at(30), Phase: "Deleted"},
	}
	want := []api.Attempt{
		{Number: 1, StartTime: &first, EndTime: at(5), Reason: "OOMKilled", ExitCode: code(137), Message: "short of memory"},
		{Number: 2, StartTime: &second, EndTime: at(15), Reason: "NodeLost"},
		{Number: 3, EndTime: at(25), Reason: "ImageNotFound"},
	}
	if got := attemptsOf(transitions); !reflect.DeepEqual(got, want) {
		t.Errorf("want %+v, got %+v", want, got)
	}
	var many []api.Transition
	for number := range int32(100) {
		many = append(many, api.Transition{Attempt: number + 1, AttemptReason: "Error"})
	}
	got := attemptsOf(many)
	if len(got) != maxAttempts || got[maxAttempts-1].Number != 100 {
		t.Errorf("want the newest %d attempts, got %d, the last of them %d", maxAttempts, len(got), got[len(got)-1].Number)
	}
	if got := attemptsOf(nil); len(got) != 0 {
		t.Errorf("want no attempts, got %v", got)
	}
}

package historyapi

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/soma-platform/soma/internal/history"
)

func TestRecordOf(t *testing.T) {
	price := "3.600000"
	row := history.Job{
		Name: "train", Namespace: "vision", Uid: uuid.MustParse("0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"), SubmittedAt: time.Now(),
		Labels: []byte(`{"team":"a"}`), Pool: "a100", CpuMillis: 1500, MemoryBytes: 8 << 30, PricePerHour: &price,
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
			if got := record.Spec.JobSpec; (got != nil) != test.wantSpec || got != nil && got.Image != test.wantImage {
				t.Errorf("unexpected spec: %+v", got)
			}
		})
	}
}

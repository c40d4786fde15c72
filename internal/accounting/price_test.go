package accounting

import (
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestPerHour(t *testing.T) {
	prices := &v1alpha1.Prices{Currency: "EUR", CPUHour: "0.04", MemoryGiBHour: "0.005",
		GPUHours: []v1alpha1.GPUPrice{{Model: "A100", Price: "2.50"}}}
	replica := v1alpha1.ReplicaResources{CPU: resource.MustParse("500m"), Memory: resource.MustParse("8Gi"), GPUs: 2, GPUModel: "A100"}
	tests := map[string]struct {
		preset   v1alpha1.Price
		prices   *v1alpha1.Prices
		replicas int32
		drawn    *v1alpha1.AttemptEnergy
		want     v1alpha1.Price
	}{
		"the single resources": {"", prices, 1, nil, "5.060000"},
		"every replica":        {"", prices, 3, nil, "15.180000"},
		"the preset's price":   {"1.10", prices, 2, nil, "2.200000"},
		"no prices":            {"1.10", nil, 2, nil, ""},
		"nothing is priced":    {"", &v1alpha1.Prices{Currency: "EUR"}, 2, nil, ""},
		"energy of all":        {"1.10", prices, 2, &v1alpha1.AttemptEnergy{Watts: 1400, PricePerKWh: "0.25"}, "2.550000"},
		"energy without price": {"1.10", prices, 2, &v1alpha1.AttemptEnergy{Watts: 1400}, "2.200000"},
		"energy alone":         {"", &v1alpha1.Prices{Currency: "EUR"}, 2, &v1alpha1.AttemptEnergy{Watts: 500, PricePerKWh: "0.25"}, "0.125000"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := PerHour(tc.preset, tc.prices, replica, tc.replicas, tc.drawn); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestAddIsExact(t *testing.T) {
	var cost *v1alpha1.Cost
	for range 3600 {
		cost = Add(cost, "3.6", "EUR", time.Second)
	}
	if cost.Amount != "3.600000" {
		t.Errorf("3,600 times one second at 3.6 an hour cost %s", cost.Amount)
	}
	if Add(nil, "", "EUR", time.Hour) != nil {
		t.Error("what has no price has a cost")
	}
}

// The currency of a cluster changes: what was paid before stays what it was, and is added to nothing else.
func TestAddKeepsCurrenciesApart(t *testing.T) {
	var cost *v1alpha1.Cost
	for _, paid := range []string{"EUR", "USD", "EUR", "CHF", ""} {
		cost = Add(cost, "3.6", paid, time.Hour)
	}
	others := []v1alpha1.OtherCost{{Amount: "3.600000", Currency: "USD"}, {Amount: "7.200000", Currency: "EUR"}}
	if cost.Amount != "3.600000" || cost.Currency != "CHF" || !slices.Equal(cost.Others, others) {
		t.Errorf("it cost %+v", cost)
	}
	before := cost.DeepCopy()
	Add(cost, "3.6", "EUR", time.Hour)
	if !equality.Semantic.DeepEqual(cost, before) {
		t.Errorf("the cost so far was changed to %+v", cost)
	}
	for i := range 26 {
		cost = Add(cost, "1", "X"+string(rune('A'+i)), time.Hour)
	}
	if cost.Currency != "XZ" || len(cost.Others) != maxCurrencies || cost.Others[maxCurrencies-1].Currency != "XY" {
		t.Errorf("in many currencies it cost %+v", cost)
	}
}

package accounting

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestAddEnergy(t *testing.T) {
	drawn := func(watts int32, grams *int32) *v1alpha1.AttemptEnergy {
		return &v1alpha1.AttemptEnergy{Watts: watts, CO2GramsPerKWh: grams}
	}
	so := func(wattHours, grams v1alpha1.EnergyAmount) *v1alpha1.JobEnergy {
		return &v1alpha1.JobEnergy{WattHours: wattHours, CO2Grams: grams}
	}
	tests := map[string]struct {
		soFar *v1alpha1.JobEnergy
		drawn *v1alpha1.AttemptEnergy
		ran   time.Duration
		want  *v1alpha1.JobEnergy
	}{
		"nothing is known":                 {nil, nil, time.Hour, nil},
		"the power is not known":           {so("1.000000", ""), drawn(0, new(int32(400))), time.Hour, so("1.000000", "")},
		"an hour":                          {nil, drawn(1500, new(int32(400))), time.Hour, so("1500.000000", "600.000000")},
		"half an hour more, of less":       {so("1500.000000", "600.000000"), drawn(1000, new(int32(100))), 30 * time.Minute, so("2000.000000", "650.000000")},
		"no CO2 at all":                    {nil, drawn(1500, new(int32(0))), time.Hour, so("1500.000000", "0.000000")},
		"CO2 of which nothing is known":    {so("10.000000", "4.000000"), drawn(1000, nil), time.Hour, so("1010.000000", "4.000000")},
		"a second":                         {nil, drawn(300, new(int32(400))), time.Second, so("0.083333", "0.033333")},
		"all that one job could ever draw": {nil, drawn(256*100_000, new(int32(5000))), 365 * 24 * time.Hour, so("224256000000.000000", "1121280000000.000000")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var before v1alpha1.JobEnergy
			if test.soFar != nil {
				before = *test.soFar
			}
			if diff := cmp.Diff(test.want, AddEnergy(test.soFar, test.drawn, test.ran)); diff != "" {
				t.Error(diff)
			}
			if test.soFar != nil && *test.soFar != before {
				t.Errorf("what it is added to changed from %v to %v", before, *test.soFar)
			}
		})
	}
}

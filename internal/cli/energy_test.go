package cli

import (
	"testing"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestEnergyText(t *testing.T) {
	for want, given := range map[string][2]string{
		"0.42 Wh":                {"0.416667", ""},
		"0 Wh, 0 g CO2":          {"0.000000", "0.000000"},
		"100 Wh, 40 g CO2":       {"100.000000", "40.000000"},
		"1.25 kWh, 500.2 g CO2":  {"1250.500000", "500.200000"},
		"224256 kWh, 1.5 kg CO2": {"224256000.000000", "1500.000000"},
		"many Wh":                {"many", ""},
	} {
		if got := energyText(given[0], given[1]); got != want {
			t.Errorf("%v: %q, want %q", given, got, want)
		}
	}
}

func TestDescribeEnergy(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = local })
	periods := []v1alpha1.EnergyPeriod{{Start: "11:00", End: "13:00"}}
	tests := map[string]struct {
		energy *v1alpha1.Energy
		want   string
	}{
		"nothing":        {nil, ""},
		"nothing priced": {&v1alpha1.Energy{Schedules: []v1alpha1.EnergySchedule{{Name: "noon", Periods: periods}}}, "noon: open until 2026-03-01 13:00:00"},
		"no schedules":   {&v1alpha1.Energy{PricePerKWh: "0.30", CO2GramsPerKWh: ptr(int32(0))}, "0.30 EUR/kWh, 0 g CO2/kWh"},
		"no such zone": {&v1alpha1.Energy{TimeZone: "Here", PricePerKWh: "0.30", Schedules: []v1alpha1.EnergySchedule{{Name: "noon", Periods: periods}}},
			"0.30 EUR/kWh\nthere is no time zone \"Here\": spec.energy.timeZone is a name such as \"Europe/Berlin\" or \"UTC\"\nnoon; 0.30 EUR/kWh"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			spec := &v1alpha1.ClusterSpec{Energy: test.energy, Prices: &v1alpha1.Prices{Currency: "EUR"}}
			if got := describeEnergy(spec, noon); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

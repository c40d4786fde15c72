package energy

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

func TestDraws(t *testing.T) {
	whole := &platformv1.Energy{PricePerKWh: "0.30", CO2GramsPerKWh: new(int32(400)), Schedules: []platformv1.EnergySchedule{
		{Name: "plain"}, {Name: "sun", PricePerKWh: "0.05", CO2GramsPerKWh: new(int32(0))},
	}}
	tests := map[string]struct {
		energy          *platformv1.Energy
		schedule        string
		watts, replicas int32
		want            *platformv1.AttemptEnergy
	}{
		"nothing is known":              {nil, "", 0, 2, nil},
		"the power is not known":        {whole, "", 0, 2, nil},
		"the power alone is known":      {nil, "", 300, 2, &platformv1.AttemptEnergy{Watts: 600}},
		"no schedule":                   {whole, "", 300, 2, &platformv1.AttemptEnergy{Watts: 600, PricePerKWh: "0.30", CO2GramsPerKWh: new(int32(400))}},
		"a schedule, without the power": {whole, "sun", 0, 1, &platformv1.AttemptEnergy{Schedule: "sun"}},
		"a schedule that says nothing":  {whole, "plain", 300, 1, &platformv1.AttemptEnergy{Schedule: "plain", Watts: 300, PricePerKWh: "0.30", CO2GramsPerKWh: new(int32(400))}},
		"a schedule of its own":         {whole, "sun", 300, 1, &platformv1.AttemptEnergy{Schedule: "sun", Watts: 300, PricePerKWh: "0.05", CO2GramsPerKWh: new(int32(0))}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := Draws(test.energy, Find(test.energy, test.schedule), test.watts, test.replicas)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFind(t *testing.T) {
	e := &platformv1.Energy{Schedules: []platformv1.EnergySchedule{{Name: "day"}, {Name: "night"}}}
	if got := Find(e, "night"); got == nil || got.Name != "night" {
		t.Errorf("found %v", got)
	}
	if Find(e, "noon") != nil || Find(nil, "night") != nil {
		t.Error("found a schedule that there is not")
	}
	if diff := cmp.Diff([]string{"day", "night"}, Names(e)); diff != "" || Names(nil) != nil {
		t.Error(diff)
	}
}

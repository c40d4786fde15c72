package energy

import (
	"cmp"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// Find is the schedule of a name; nil where the cluster has none.
func Find(energy *platformv1.Energy, name string) *platformv1.EnergySchedule {
	if energy == nil {
		return nil
	}
	for i := range energy.Schedules {
		if energy.Schedules[i].Name == name {
			return &energy.Schedules[i]
		}
	}
	return nil
}

// Names are those of the cluster's schedules, in their order.
func Names(energy *platformv1.Energy) []string {
	if energy == nil {
		return nil
	}
	names := make([]string, len(energy.Schedules))
	for i := range energy.Schedules {
		names[i] = energy.Schedules[i].Name
	}
	return names
}

// Draws is what an attempt draws that starts now, of so many replicas of so many watts each (0 where that is not known) and bound
// to the schedule (nil for none), and what it costs while it runs: an attempt never goes on beyond its window. It is nil where
// nothing is known of it.
func Draws(energy *platformv1.Energy, schedule *platformv1.EnergySchedule, watts, replicas int32) *platformv1.AttemptEnergy {
	drawn := platformv1.AttemptEnergy{Watts: watts * replicas}
	if schedule != nil {
		drawn.Schedule = schedule.Name
	}
	if energy != nil && drawn.Watts > 0 {
		drawn.PricePerKWh, drawn.CO2GramsPerKWh = Terms(energy, schedule)
	}
	if drawn == (platformv1.AttemptEnergy{}) {
		return nil
	}
	return &drawn
}

// Terms are what one kWh costs and how many grams of CO2 come with it, in the windows of a schedule or, where that is nil, for who
// is bound to none. They are empty and nil where that is not known.
func Terms(energy *platformv1.Energy, schedule *platformv1.EnergySchedule) (pricePerKWh platformv1.Price, co2GramsPerKWh *int32) {
	if schedule == nil {
		return energy.PricePerKWh, energy.CO2GramsPerKWh
	}
	return cmp.Or(schedule.PricePerKWh, energy.PricePerKWh), cmp.Or(schedule.CO2GramsPerKWh, energy.CO2GramsPerKWh)
}

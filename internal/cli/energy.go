package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/energy"
)

// describeEnergy says what the energy of a cluster costs, and how its schedules stand.
func describeEnergy(cluster *v1alpha1.ClusterSpec, now time.Time) string {
	if cluster.Energy == nil {
		return ""
	}
	var lines []string
	if terms := describeTerms(cluster, nil); terms != "" {
		lines = append(lines, terms)
	}
	windows, err := energy.Windows(cluster.Energy, now)
	if err != nil {
		lines = append(lines, err.Error())
	}
	for i := range cluster.Energy.Schedules {
		s := &cluster.Energy.Schedules[i]
		line := s.Name
		if window, known := windows[s.Name]; known {
			line += ": " + describeWindow(window)
		}
		if terms := describeTerms(cluster, s); terms != "" {
			line += "; " + terms
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func describeWindow(w energy.Window) string {
	text := "closed"
	if w.Open {
		text = "open"
	}
	if w.Until.IsZero() {
		return text
	}
	return text + " until " + w.Until.Local().Format(time.DateTime)
}

// describeTerms says what energy costs in a schedule, or without one.
func describeTerms(cluster *v1alpha1.ClusterSpec, schedule *v1alpha1.EnergySchedule) string {
	var parts []string
	price, grams := energy.Terms(cluster.Energy, schedule)
	if price != "" && cluster.Prices != nil {
		parts = append(parts, fmt.Sprintf("%s %s/kWh", price, cluster.Prices.Currency))
	}
	if grams != nil {
		parts = append(parts, fmt.Sprintf("%d g CO2/kWh", *grams))
	}
	return strings.Join(parts, ", ")
}

// energyText writes what was drawn and what came with it, where that is known.
func energyText(wattHours, grams string) string {
	if grams == "" {
		return scaled(wattHours, "Wh")
	}
	return scaled(wattHours, "Wh") + ", " + scaled(grams, "g CO2")
}

// scaled writes an amount with two digits behind the point, in thousands of its unit where it is so much.
func scaled(amount, unit string) string {
	value, err := strconv.ParseFloat(amount, 64)
	if err != nil {
		return amount + " " + unit
	}
	if value >= 1000 {
		value, unit = value/1000, "k"+unit
	}
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", value), "0"), ".") + " " + unit
}

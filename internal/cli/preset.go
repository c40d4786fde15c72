package cli

import (
	"cmp"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func newPreset(a *app) *cobra.Command {
	c := &cobra.Command{Use: "preset", Aliases: []string{"presets"}, Short: "See the sizes that jobs can ask for by name"}
	c.AddCommand(newListing(a, presetListing()))
	return c
}

func presetListing() listing[v1alpha1.Cluster] {
	return listing[v1alpha1.Cluster]{
		resource: clusters, short: "List the presets of all clusters; a job that asks for nothing gets the first",
		columns: []column{{name: "Name"}, {name: "Cluster"}, {name: "CPU"}, {name: "Memory"}, {name: "GPU"}, {name: "SHM"}, {name: "Price/hour"}, {name: "Watts", wide: true}, {name: "Description", wide: true}},
		rows: func(cl *v1alpha1.Cluster, _ time.Time) [][]any {
			var rows [][]any
			for i := range cl.Spec.Presets {
				p := &cl.Spec.Presets[i]
				price := string(p.PricePerHour)
				if price != "" && cl.Spec.Prices != nil {
					price += " " + cl.Spec.Prices.Currency
				}
				watts := ""
				if p.PowerWatts > 0 {
					watts = fmt.Sprint(p.PowerWatts)
				}
				rows = append(rows, []any{p.Name, cl.Name, p.CPU.String(), p.Memory.String(), gpuText(p.GPU), cmp.Or(quantity(p.SHM), "64Mi"), price, watts, p.Description})
			}
			return rows
		},
		names: func(cl *v1alpha1.Cluster) []string {
			names := make([]string, 0, len(cl.Spec.Presets))
			for i := range cl.Spec.Presets {
				names = append(names, cl.Spec.Presets[i].Name)
			}
			return names
		},
	}
}

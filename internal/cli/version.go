package cli

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
	apiversion "k8s.io/apimachinery/pkg/version"

	"github.com/soma-platform/soma/internal/platform/version"
)

// versions is what `soma version -o json` prints.
type versions struct {
	Client version.Info     `json:"client"`
	Server *apiversion.Info `json:"server,omitempty"`
}

func clientVersion() string { return version.Get().Version }

func newVersion(a *app) *cobra.Command {
	var client bool
	var format string
	c := &cobra.Command{
		Use: "version", Short: "Show the versions of this program and of the cluster",
		Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			all := versions{Client: version.Get()}
			var unreachable error
			if !client {
				all.Server, unreachable = a.serverVersion(c)
			}
			switch format {
			case "json", "yaml":
				if err := printData(a.out, format, all); err != nil {
					return err
				}
			case "":
				fields := []field{{"Client", all.Client.String()}}
				if all.Server != nil {
					fields = append(fields, field{"Kubernetes", all.Server.GitVersion})
				}
				a.printFields(a.out, fields)
			default:
				return usageError(c, fmt.Errorf("there is no output format %q here; the formats are json and yaml", format))
			}
			return unreachable
		},
	}
	c.Flags().BoolVar(&client, "client", false, "of this program alone; the cluster is not asked")
	addDataFormat(c, &format)
	return c
}

func (a *app) serverVersion(c *cobra.Command) (*apiversion.Info, error) {
	connected, err := a.connect()
	if err != nil {
		return nil, err
	}
	ctx, cancel := a.request(c.Context())
	defer cancel()
	body, err := connected.core.Get().AbsPath("/version").DoRaw(ctx)
	if err != nil {
		return nil, a.explainError(err, jobs, "", "")
	}
	info := &apiversion.Info{}
	if err := json.Unmarshal(body, info); err != nil {
		return nil, fmt.Errorf("the version of the cluster at %s cannot be read: %w", connected.config.Host, err)
	}
	return info, nil
}

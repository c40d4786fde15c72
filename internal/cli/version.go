package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	utilversion "k8s.io/apimachinery/pkg/util/version"
	apiversion "k8s.io/apimachinery/pkg/version"

	"github.com/soma-platform/soma/internal/platform/version"
)

// versions is what `soma version -o json` prints.
type versions struct {
	Client version.Info     `json:"client"`
	Server *apiversion.Info `json:"server,omitempty"`
	// Platform is the version of Soma on the cluster, "" where it does not tell.
	Platform string `json:"platform,omitempty"`
}

func clientVersion() string { return version.Get().Version }

func newVersion(a *app) *cobra.Command {
	var client bool
	var out output
	c := &cobra.Command{
		Use: "version", Short: "Show the versions of this program, of the cluster and of Soma on it",
		Args: noArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			all := versions{Client: version.Get()}
			var unreachable error
			if !client {
				unreachable = a.askVersions(c.Context(), &all)
			}
			if err := a.printVersions(&out, &all); err != nil {
				return err
			}
			if skew := versionSkew(all.Client.Version, all.Platform); skew != "" {
				fmt.Fprintf(a.err, "%s %s\n", a.style.warn("warning:"), skew)
			}
			return unreachable
		},
	}
	c.Flags().BoolVar(&client, "client", false, "of this program alone; the cluster is not asked")
	out.addTo(c)
	return c
}

func (a *app) printVersions(out *output, all *versions) error {
	if !out.table() {
		return out.data(a.out, all.Client.Version, all)
	}
	fields := []field{{"Client", all.Client.String()}, {"Soma", all.Platform}}
	if all.Server != nil {
		fields = append(fields, field{"Kubernetes", all.Server.GitVersion})
	}
	a.printFields(a.out, fields)
	return nil
}

// askVersions asks the cluster for both versions at once. One that does not tell that of Soma is no error.
func (a *app) askVersions(ctx context.Context, all *versions) error {
	if _, err := a.connect(); err != nil {
		return err
	}
	var group errgroup.Group
	group.Go(func() (err error) {
		all.Server, err = a.serverVersion(ctx)
		return err
	})
	group.Go(func() error {
		all.Platform, _ = a.platformVersion(ctx)
		return nil
	})
	return group.Wait()
}

func (a *app) serverVersion(ctx context.Context) (*apiversion.Info, error) {
	info := &apiversion.Info{}
	if err := a.readJSON(ctx, "/version", info); err != nil {
		return nil, err
	}
	return info, nil
}

// platformVersion is the version of Soma on the cluster. The description of the history's API tells it, which everybody
// may read who may sign in.
func (a *app) platformVersion(ctx context.Context) (string, error) {
	description := struct {
		Info struct{ Title, Version string } `json:"info"`
	}{}
	err := a.readJSON(ctx, "/openapi/v3/apis/"+jobRecords.Group+"/"+jobRecords.Version, &description)
	if err != nil || description.Info.Title != "Soma" {
		return "", err
	}
	return description.Info.Version, nil
}

// readJSON reads what the API server answers at a path.
func (a *app) readJSON(ctx context.Context, path string, into any) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	ctx, cancel := a.request(ctx)
	defer cancel()
	text, err := c.core.Get().AbsPath(path).DoRaw(ctx)
	if err != nil {
		return a.explainError(ctx, err, jobs, "", "")
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("what the cluster at %s answers at %s cannot be read: %w\nis it a Kubernetes API server?", c.config.Host, path, err)
	}
	return nil
}

// versionSkew says what to do where this program and Soma on the cluster are of different releases, "" where they are not,
// or are no releases.
func versionSkew(client, platform string) string {
	mine, err := utilversion.ParseSemantic(client)
	if err != nil {
		return ""
	}
	its, err := utilversion.ParseSemantic(platform)
	if err != nil || mine.Major() == its.Major() && mine.Minor() == its.Minor() {
		return ""
	}
	return fmt.Sprintf("this program is %s and Soma on the cluster is %s: what one of them knows may be unknown to the other; install the program of the cluster's release", client, platform)
}

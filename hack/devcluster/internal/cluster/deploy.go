package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
)

// firstProject is the project that installing Soma makes; its namespace is where a person starts.
const firstProject = "quickstart"

// deploy puts Soma onto the cluster, by the same program as `make deploy-dev` later.
func (c *Cluster) deploy(ctx context.Context) error {
	c.progress.Say("Installing Soma …")
	cmd := exec.CommandContext(ctx, filepath.Join(c.Root, "hack", "deploy", "dev")) //nolint:gosec // our own program
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.kubeconfig(), "SOMA_DEV_DIR="+c.Dir)
	cmd.Stdout, cmd.Stderr = c.progress.Out, c.progress.Out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("install Soma (hack/deploy/dev): %w", err)
	}
	return c.enterProject()
}

// enterProject makes the first project's namespace the current one, unless a person has chosen one.
func (c *Cluster) enterProject() error {
	config, err := clientcmd.LoadFromFile(c.kubeconfig())
	if err != nil {
		return fmt.Errorf("read %s: %w", c.kubeconfig(), err)
	}
	current := config.Contexts[contextName]
	if current == nil || current.Namespace != "" {
		return nil
	}
	current.Namespace = firstProject
	return clientcmd.WriteToFile(*config, c.kubeconfig())
}

package cluster

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

// Up brings the cluster up, or what of it does not run; what runs as it should stays as it is.
func (c *Cluster) Up(ctx context.Context) error {
	started := time.Now()
	if err := c.makeFolders(); err != nil {
		return err
	}
	if err := os.MkdirAll(c.processes.Dir, 0o750); err != nil {
		return err
	}
	release, err := c.lock()
	if err != nil {
		return err
	}
	defer release()
	if err := c.Build(ctx); err != nil {
		return err
	}
	running, err := c.running()
	if err != nil {
		return err
	}
	if c.state, err = loadState(c.Layout, os.Geteuid() == 0, running, c.options.Nodes); err != nil {
		return err
	}
	if err := c.install(ctx); err != nil {
		return err
	}
	if err := c.bringUp(ctx); err != nil {
		return err
	}
	c.progress.Say("The cluster is up after %.0f s.", time.Since(started).Seconds())
	if !c.Rooted {
		c.progress.Say(withoutRoot)
	}
	if c.options.Platform {
		if err := c.deploy(ctx); err != nil {
			return err
		}
	}
	c.progress.Say("Next: . %s", c.env())
	if c.options.Platform {
		c.progress.Say("      soma run --help")
		return c.sayHowToSignIn(ctx)
	}
	c.progress.Say("      kubectl get nodes")
	return nil
}

const withoutRoot = `This was done without root, so there are simulated nodes alone: a pod is scheduled, is Running and ends, but nothing
is executed in it; it ends when a person says so, or an annotation (hack/devcluster/README.md). There is no DNS and
no network of pods, and Soma's manager and history run as processes of this machine rather than as pods.
For a node with real containers, run the same as root, in another folder.`

// bringUp starts all parts in the order of their needs.
func (c *Cluster) bringUp(ctx context.Context) error {
	creds, err := c.makeCredentials()
	if err != nil {
		return err
	}
	if err := c.makeGround(); err != nil {
		return err
	}
	if err := c.publish(ctx); err != nil {
		return err
	}
	if err := c.writeEnv(); err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.startPostgres(groupCtx, creds) })
	group.Go(func() error { return c.startRedis(groupCtx, creds) })
	group.Go(func() error { return c.startDex(groupCtx, creds) })
	group.Go(func() error { return c.bringUpKubernetes(groupCtx, creds) })
	return group.Wait()
}

func (c *Cluster) bringUpKubernetes(ctx context.Context, creds credentials) error {
	var node nodeSettings
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := c.startEtcd(groupCtx, creds); err != nil {
			return err
		}
		return c.startAPIServer(groupCtx, creds)
	})
	group.Go(func() (err error) {
		node, err = c.prepareNode(groupCtx, creds)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}

	group, groupCtx = errgroup.WithContext(ctx)
	group.Go(func() error { return c.startControllerManager(groupCtx, creds) })
	group.Go(func() error { return c.startScheduler(groupCtx, creds) })
	group.Go(func() error { return c.bringUpNode(groupCtx, creds, node) })
	group.Go(func() error {
		if err := c.startKwok(groupCtx, creds); err != nil {
			return err
		}
		return c.progress.Step(fmt.Sprintf("%d simulated nodes", c.Nodes), func() error { return c.simulateNodes(groupCtx) })
	})
	return group.Wait()
}

// prepareNode does what the real node needs before there is an API server.
func (c *Cluster) prepareNode(ctx context.Context, creds credentials) (nodeSettings, error) {
	if !c.Rooted {
		return nodeSettings{}, nil
	}
	settings, err := c.writeNodeConfig(creds)
	if err != nil {
		return settings, err
	}
	if err := c.openOutside(ctx); err != nil {
		return settings, err
	}
	if err := c.startContainerd(ctx, settings.containerd); err != nil {
		return settings, err
	}
	return settings, c.importImages(ctx)
}

func (c *Cluster) bringUpNode(ctx context.Context, creds credentials, settings nodeSettings) error {
	if !c.Rooted {
		return nil
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.startKubeProxy(groupCtx, creds, settings.kubeProxy) })
	group.Go(func() error { return c.startDNS(groupCtx, creds) })
	group.Go(func() error {
		if err := c.startKubelet(groupCtx, creds, settings.kubelet); err != nil {
			return err
		}
		return c.startGPUPlugin(groupCtx)
	})
	return group.Wait()
}

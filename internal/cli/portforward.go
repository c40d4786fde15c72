package cli

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// portPair is [LOCAL:]REMOTE, where an empty LOCAL is any free port.
var portPair = regexp.MustCompile(`^([0-9]{0,5}:)?[0-9]{1,5}$`)

func newPortForward(a *app) *cobra.Command {
	var rank int32
	var addresses []string
	c := &cobra.Command{
		Use:   "port-forward JOB [[LOCAL:]REMOTE...]",
		Short: "Reach ports of a running job from this machine",
		Long: `Reach ports of a running job from this machine, until Ctrl-C.

Without ports the one on which the job serves HTTP is taken.`,
		Example: a.examples(
			"port-forward notebook", "the job's HTTP port", "port-forward train-x7k2p 6006", "TensorBoard",
			"port-forward train-x7k2p 8080:80", "under another port here",
		),
		Args:              someArgs("the name of the job"),
		ValidArgsFunction: once(a.jobNames(v1alpha1.JobRunning), a.ofJob(portsOf)),
		RunE: func(c *cobra.Command, args []string) error {
			for _, ports := range args[1:] {
				if !portPair.MatchString(ports) {
					return usageError(c, fmt.Errorf("%q is no port; write for instance 8080, 9090:8080 or :8080", ports))
				}
			}
			return a.portForward(c.Context(), args[0], rank, addresses, args[1:])
		},
	}
	c.Flags().Int32Var(&rank, "rank", 0, "replica whose ports are reached, from 0")
	completeFlag(c, "rank", a.ofJob(ranksOf))
	c.Flags().StringSliceVar(&addresses, "address", []string{"localhost"}, "addresses of this machine to listen on")
	return c
}

func (a *app) portForward(ctx context.Context, name string, rank int32, addresses, ports []string) error {
	job, pod, err := a.runningPod(ctx, name, rank)
	if err != nil {
		return err
	}
	if len(ports) == 0 {
		if job.Spec.HTTP == nil {
			return fmt.Errorf("job %q serves no HTTP; name a port: \"%s\"", name, a.command("port-forward "+name+" PORT"))
		}
		ports = []string{strconv.Itoa(int(job.Spec.HTTP.Port))}
	}
	c := a.clients
	url := c.core.Post().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).SubResource("portforward").URL()
	overWebSocket, err := portforward.NewSPDYOverWebsocketDialer(url, c.config)
	if err != nil {
		return err
	}
	transport, upgrader, err := spdy.RoundTripperFor(c.config)
	if err != nil {
		return err
	}
	overSPDY := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	dialer := portforward.NewFallbackDialer(overWebSocket, overSPDY, upgradeRefused)
	forwarder, err := portforward.NewOnAddressesWithContext(ctx, dialer, addresses, ports, make(chan struct{}), a.out, a.err)
	if err != nil {
		return fmt.Errorf("the ports cannot be forwarded: %w", err)
	}
	if err := forwarder.ForwardPorts(); err != nil && ctx.Err() == nil {
		return a.brokeOff(ctx, job, v1alpha1.ActionWrite, fmt.Sprintf("the connection to job %q", name), err)
	}
	return nil
}

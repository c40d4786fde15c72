// Command history serves the API history.soma.dev: what PostgreSQL knows of jobs, through the cluster's own API server.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/soma-platform/soma/internal/history"
	"github.com/soma-platform/soma/internal/historyapi"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "history:", err)
		os.Exit(1)
	}
}

func run() error {
	options := historyapi.Options{BindAddress: net.IPv4zero}
	flag.TextVar(&options.BindAddress, "bind-address", options.BindAddress, "address to listen on")
	flag.IntVar(&options.Port, "secure-port", 6443, "port to listen on")
	flag.StringVar(&options.CertFile, "tls-cert-file", "/etc/soma/certs/tls.crt", "certificate to serve with; read again when it changes")
	flag.StringVar(&options.KeyFile, "tls-private-key-file", "/etc/soma/certs/tls.key", "key of the certificate")
	flag.StringVar(&options.Kubeconfig, "kubeconfig", "", "cluster that is asked who callers are and what they may do; the one that the server runs in where it is empty")
	klog.InitFlags(nil)
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see --help", flag.Arg(0))
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	store, err := history.Open(ctx, os.Getenv("SOMA_DATABASE_URL"), clock.RealClock{})
	if err != nil {
		return err
	}
	defer store.Close()
	go store.KeepProbing(ctx)
	return historyapi.Run(ctx, options, store, clock.RealClock{})
}

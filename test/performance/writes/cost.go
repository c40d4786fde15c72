package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/soma-platform/soma/test/performance/server"
)

const (
	// workers is how many write at the same time, each its own object.
	workers = 8
	// settleTime is what a new API server has to come to rest, idleTime for how long it is looked at then.
	settleTime = 10 * time.Second
	idleTime   = 10 * time.Second
)

// meter tells what the API server uses for what it is asked.
type meter struct {
	of server.Process
	// idle is what it uses while nobody writes, as a part of a core.
	idle float64
}

// newMeter waits until the API server has come to rest.
func newMeter(ctx context.Context, of server.Process) (*meter, error) {
	m := &meter{of: of}
	if err := pause(ctx, settleTime); err != nil {
		return nil, err
	}
	before, err := of.CPU()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := pause(ctx, idleTime); err != nil {
		return nil, err
	}
	after, err := of.CPU()
	m.idle = (after - before) / time.Since(start).Seconds()
	return m, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// costOf makes n writes by several workers, and tells how many milliseconds of CPU one costs the API server.
func (m *meter) costOf(ctx context.Context, n int, write func(ctx context.Context, worker, i int) error) (float64, error) {
	before, err := m.of.CPU()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	all, within := errgroup.WithContext(ctx)
	for worker := range workers {
		all.Go(func() error {
			for i := range n / workers {
				if err := write(within, worker, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		return 0, err
	}
	took := time.Since(start)
	after, err := m.of.CPU()
	return max(0, after-before-m.idle*took.Seconds()) / float64(n/workers*workers) * 1000, err
}

// costOfLeases is the cost of a write of a kind that is built in, which goes by protobuf.
func (m *meter) costOfLeases(ctx context.Context, n int, config *rest.Config) (float64, error) {
	config = rest.CopyConfig(config)
	config.ContentType = runtime.ContentTypeProtobuf
	api, err := coordinationclient.NewForConfig(config)
	if err != nil {
		return 0, err
	}
	leases := make([]*coordinationv1.Lease, workers)
	for i := range leases {
		holder := "writes"
		leases[i], err = api.Leases(metav1.NamespaceDefault).Create(ctx, &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("writes-%d", i)}, Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder},
		}, metav1.CreateOptions{})
		if err != nil {
			return 0, fmt.Errorf("make a lease: %w", err)
		}
	}
	return m.costOf(ctx, n, func(ctx context.Context, worker, _ int) error {
		now := metav1.NowMicro()
		leases[worker].Spec.RenewTime = &now
		written, err := api.Leases(metav1.NamespaceDefault).Update(ctx, leases[worker], metav1.UpdateOptions{})
		if err == nil {
			leases[worker] = written
		}
		return err
	})
}

// watchAll lets so many watch, until they are stopped.
func watchAll(ctx context.Context, from dynamic.ResourceInterface, watchers int) (stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, s := range stops {
			s()
		}
	}
	for range watchers {
		events, err := from.Watch(ctx, metav1.ListOptions{})
		if err != nil {
			stop()
			return nil, fmt.Errorf("watch: %w", err)
		}
		go func() {
			for range events.ResultChan() { // what comes is taken off the line
			}
		}()
		stops = append(stops, events.Stop)
	}
	return stop, nil
}

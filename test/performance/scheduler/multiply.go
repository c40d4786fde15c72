package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
)

const (
	// storedJobs is what etcd's keys of jobs begin with.
	storedJobs = "/registry/platform.soma.dev/jobs/"
	// storers is how many store jobs at the same time.
	storers = 16
)

// stored is a key of etcd and what is under it.
type stored struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value,omitempty"`
}

// multiply has every job there so many times, and returns the names of those that it made. It writes past the API server: that
// takes seconds, as it waits for no scheduler. Each job is a write of its own, as the API server's watches miss some of what one
// revision changes together. Those that hold a reservation hold it on all nodes in turn.
func (p *plane) multiply(ctx context.Context, times, nodes int) (made []types.NamespacedName, err error) {
	var found struct {
		KVs []stored `json:"kvs"`
	}
	after := []byte(storedJobs)
	after[len(after)-1]++
	if err := p.askEtcd(ctx, "range", map[string]any{"key": []byte(storedJobs), "range_end": after}, &found); err != nil {
		return nil, err
	}
	all, within := errgroup.WithContext(ctx)
	all.SetLimit(storers)
	// Whoever returns early has waited for those.
	defer func() { err = errors.Join(err, all.Wait()) }()
	for _, kv := range found.KVs {
		job := &unstructured.Unstructured{}
		if err := json.Unmarshal(kv.Value, &job.Object); err != nil {
			return nil, fmt.Errorf("read what etcd has as %s: %w", kv.Key, err)
		}
		name := job.GetName()
		for n := 1; n < times; n++ {
			job.SetName(fmt.Sprintf("%s-%d", name, n))
			job.SetUID(uuid.NewUUID())
			if shares, reserved, _ := unstructured.NestedSlice(job.Object, "status", "reservation", "nodes"); reserved {
				shares[0].(map[string]any)["node"] = fmt.Sprintf("node-%d", len(made)%nodes)
				if err := unstructured.SetNestedSlice(job.Object, shares, "status", "reservation", "nodes"); err != nil {
					return nil, err
				}
			}
			text, err := json.Marshal(job.Object)
			if err != nil {
				return nil, err
			}
			key := types.NamespacedName{Namespace: job.GetNamespace(), Name: job.GetName()}
			made = append(made, key)
			all.Go(func() error { return p.askEtcd(within, "put", stored{[]byte(storedJobs + key.String()), text}, nil) })
		}
	}
	return made, nil
}

// askEtcd asks etcd for something by its gateway.
func (p *plane) askEtcd(ctx context.Context, what string, of, answer any) (err error) {
	text, err := json.Marshal(of)
	if err != nil {
		return err
	}
	url := p.EtcdURL + "/v3/kv/" + what
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask etcd: %w", err)
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read what etcd answers: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd answered %s: %s", response.Status, last(body))
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(body, answer)
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/fleet"
)

const (
	// probeInterval is the time between two probes of a cluster that answers.
	probeInterval = 30 * time.Second
	// retryInterval is the time between two probes of a cluster that does not, so that three failures take no longer than
	// one interval.
	retryInterval = 10 * time.Second
	// failureThreshold is the number of failed probes in a row after which a cluster that answered counts as unreachable.
	failureThreshold = 3
	// defaultKey is the key of the kubeconfig in its secret.
	defaultKey = "kubeconfig"
)

// probeResult is what the newest probe of a cluster found. It is kept in memory between probes only to count failures
// and to keep the pace; after a start it is found again.
type probeResult struct {
	generation int64
	next       time.Time
	// failures in a row.
	failures int
	facts    fleet.Facts
	// reason and message of the newest failure; empty after a success.
	reason, message string
	// stuck reports that trying again does not help until a person changes something.
	stuck bool
}

// probes are the newest results, by cluster. The zero value is ready for use.
type probes struct {
	mutex  sync.Mutex
	byName map[string]probeResult
}

func (p *probes) get(name string) probeResult {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.byName[name]
}

func (p *probes) set(name string, result probeResult) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.byName == nil {
		p.byName = map[string]probeResult{}
	}
	p.byName[name] = result
}

func (p *probes) forget(name string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.byName, name)
}

// probe asks the cluster again where it is time to or its spec changed, and is what it said last otherwise.
func (r *Reconciler) probe(ctx context.Context, cluster *v1alpha1.Cluster) probeResult {
	last := r.probes.get(cluster.Name)
	now := r.Clock.Now()
	if last.generation == cluster.Generation && now.Before(last.next) {
		return last
	}
	result := probeResult{generation: cluster.Generation, next: now.Add(probeInterval), facts: last.facts}
	facts, reason, err := r.ask(ctx, cluster)
	if err == nil {
		result.facts = facts
	} else {
		result.reason, result.message = reason, err.Error()
		result.stuck = reason != v1alpha1.ReasonUnreachable
		result.next = now.Add(retryInterval)
		if last.generation == cluster.Generation {
			result.failures = last.failures
			if last.reason == reason {
				// What the network says differs from time to time, by a port for instance, and tells nothing new.
				result.message = last.message
			}
		}
		result.failures++
	}
	r.probes.set(cluster.Name, result)
	return result
}

// ask probes the cluster and is the reason of the failure where it fails.
func (r *Reconciler) ask(ctx context.Context, cluster *v1alpha1.Cluster) (fleet.Facts, string, error) {
	local, err := r.Prober.Local(ctx)
	if err != nil {
		return fleet.Facts{}, v1alpha1.ReasonUnreachable, fmt.Errorf("the API server does not answer: %w", err)
	}
	if cluster.Spec.KubeconfigSecret == nil {
		return local, "", nil
	}
	kubeconfig, err := r.kubeconfig(ctx, *cluster.Spec.KubeconfigSecret)
	if err != nil {
		return fleet.Facts{}, reasonOf(err), err
	}
	remote, err := r.Prober.Remote(ctx, kubeconfig)
	switch {
	case errors.Is(err, fleet.ErrKubeconfig):
		return fleet.Facts{}, v1alpha1.ReasonKubeconfigInvalid, err
	case err != nil:
		return fleet.Facts{}, v1alpha1.ReasonUnreachable, fmt.Errorf("the API server does not answer: %w", err)
	case remote.ID != local.ID:
		return fleet.Facts{}, v1alpha1.ReasonForeignCluster, errors.New(
			"the kubeconfig leads to another cluster than the one that Soma runs in (their kube-system namespaces differ); only this one can be attached")
	}
	return remote, "", nil
}

// missing is the error of a secret or key that does not exist.
type missing struct{ error }

func reasonOf(err error) string {
	if errors.As(err, &missing{}) {
		return v1alpha1.ReasonKubeconfigMissing
	}
	return v1alpha1.ReasonUnreachable
}

func (r *Reconciler) kubeconfig(ctx context.Context, reference v1alpha1.KubeconfigSecret) ([]byte, error) {
	key := reference.Key
	if key == "" {
		key = defaultKey
	}
	secret := &corev1.Secret{}
	err := r.secrets.Get(ctx, types.NamespacedName{Namespace: r.Namespace, Name: reference.Name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, missing{fmt.Errorf("secret %s/%s does not exist: make it, with the kubeconfig under the key %q", r.Namespace, reference.Name, key)}
	case err != nil:
		return nil, fmt.Errorf("read secret %s/%s: %w", r.Namespace, reference.Name, err)
	}
	data, there := secret.Data[key]
	if !there {
		return nil, missing{fmt.Errorf("secret %s/%s has no key %q", r.Namespace, reference.Name, key)}
	}
	return data, nil
}

package scheduler

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/cached"
)

// shelf is a client that reads what was put into it.
type shelf struct {
	client.Client
	jobs     toolscache.Store
	nodes    map[string]*corev1.Node
	projects []platformv1.Project
	quotas   []platformv1.Quota
	clusters []platformv1.Cluster
}

func (s *shelf) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	switch into := into.(type) {
	case *platformv1.Job:
		if job, err := cached.Get[*platformv1.Job](s.jobs, key); job != nil || err != nil {
			*into = *job
			return err
		}
	case *corev1.Node:
		if node := s.nodes[key.Name]; node != nil {
			*into = *node
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func (s *shelf) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	switch into := into.(type) {
	case *platformv1.ProjectList:
		into.Items = s.projects
	case *platformv1.QuotaList:
		into.Items = s.quotas
	case *platformv1.ClusterList:
		into.Items = s.clusters
	case *corev1.NodeList:
		for _, node := range s.nodes {
			into.Items = append(into.Items, *node)
		}
	}
	return nil
}

package jobpages

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/workload"
)

// labelIndex finds jobs that serve a page by the first label of its host.
const labelIndex = "page-host"

// Index finds pages in a cache.
type Index struct {
	reader client.Reader
	log    logr.Logger
}

// NewIndex has a cache keep what pages need of jobs and projects, before it is started.
func NewIndex(ctx context.Context, objects cache.Cache, log logr.Logger) (*Index, error) {
	err := objects.IndexField(ctx, &v1alpha1.Job{}, labelIndex, func(object client.Object) []string {
		job, ok := object.(*v1alpha1.Job)
		if !ok || job.Spec.HTTP == nil {
			return nil
		}
		return []string{workload.PageHost(job.Name, job.Namespace)}
	})
	if err != nil {
		return nil, fmt.Errorf("index jobs by the hosts of their pages: %w", err)
	}
	return &Index{reader: objects, log: log}, nil
}

// ByLabel is the page on the host of a first label. Of what is not known there is none.
func (i *Index) ByLabel(label string) (Page, bool) {
	ctx := context.Background() // the cache answers from memory
	var jobs v1alpha1.JobList
	err := i.reader.List(ctx, &jobs, client.MatchingFields{labelIndex: label}, client.UnsafeDisableDeepCopy)
	if err != nil || len(jobs.Items) != 1 {
		if err != nil {
			i.log.Error(err, "a job's page was not found", "label", label)
		}
		return Page{}, false
	}
	job := &jobs.Items[0]
	var project v1alpha1.Project
	if err := i.reader.Get(ctx, types.NamespacedName{Name: job.Namespace}, &project); err != nil {
		return Page{}, false
	}
	return Page{
		Job: job, Target: access.In(access.Job, access.Home, project.Spec.Organization, job.Namespace, job.Name),
		AllowsPublic: project.Spec.PublicPages != nil && *project.Spec.PublicPages,
	}, true
}

// Slim takes out of jobs what pages do not need, before a cache keeps them: of jobs without a page nearly all.
func Slim(object any) (any, error) {
	job, ok := object.(*v1alpha1.Job)
	if !ok {
		return object, nil
	}
	slim := &v1alpha1.Job{}
	slim.Name, slim.Namespace, slim.UID, slim.ResourceVersion = job.Name, job.Namespace, job.UID, job.ResourceVersion
	if slim.Spec.HTTP = job.Spec.HTTP; slim.Spec.HTTP != nil {
		slim.Status.Phase, slim.Status.Reason, slim.Status.Message = job.Status.Phase, job.Status.Reason, job.Status.Message
	}
	return slim, nil
}

package webhooks

import (
	"context"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/workload"
)

// secretList is the kind of a list of secrets.
var secretList = corev1.SchemeGroupVersion.WithKind("SecretList")

// checkJobSecrets refuses a new job that uses a secret which its submitter may not read: whoever runs a job sees what it sees.
// The API server asks about those jobs alone that name a secret.
func (r *reviewer) checkJobSecrets(ctx context.Context, request admission.Request) error {
	_, job, err := read[platformv1.Job](r.decoder, request)
	if err != nil {
		return err
	}
	names := workload.SecretNames(&job.Spec)
	ours := false
	err = r.look(request.UserInfo, func(f facts) error {
		ours = f.asker.ours()
		return decideJobSecrets(f, request.Namespace, &job.Spec, names)
	})
	if err != nil || ours || len(names) == 0 {
		return err
	}
	return r.mayGet(ctx, request, names)
}

// decideJobSecrets decides about the secrets that a job of a user of ours names. That a secret does not exist is no reason to
// refuse it: the job waits for it.
func decideJobSecrets(f facts, namespace string, spec *platformv1.JobSpec, names []string) error {
	if !f.asker.ours() {
		return nil
	}
	tree := f.asker.tree
	if spec.SubmittedThrough != "" {
		tree = f.trees(spec.SubmittedBy)
	}
	facts, found := f.directory.Project(namespace)
	if !found {
		return forbidden("there is no project %q", namespace)
	}
	var missing []access.Target
	for _, name := range names {
		if target := access.In(access.Secret, access.Home, facts.Organization, namespace, name); !tree.Allows(target, access.Read) {
			missing = append(missing, target)
		}
	}
	if len(missing) > 0 {
		return lacking(access.Read, missing, "a job uses the secrets that its submitter may read")
	}
	return nil
}

// mayGet refuses others than users of ours who may not get the secrets. Who may get all is asked for once.
func (r *reviewer) mayGet(ctx context.Context, request admission.Request, names []string) error {
	what := authorizationv1.ResourceAttributes{Namespace: request.Namespace, Verb: "get", Version: "v1", Resource: "secrets"}
	if all, err := r.may(ctx, request.UserInfo, &what); err != nil || all {
		return err
	}
	for _, name := range names {
		one := what
		one.Name = name
		switch allowed, err := r.may(ctx, request.UserInfo, &one); {
		case err != nil:
			return err
		case !allowed:
			return forbidden("%q may not get the secret %q in namespace %s: a job uses the secrets that its submitter may read",
				request.UserInfo.Username, name, request.Namespace)
		}
	}
	return nil
}

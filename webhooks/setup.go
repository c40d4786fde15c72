// Package webhooks holds the admission that needs to know who is asking, or what else there is. Rules on the fields themselves
// are in the schemas, where they hold without any process of ours.
//
// What a change would let somebody do, whoever makes it must be able to pass. What is decided from is gathered first; the
// decisions are functions of it.
package webhooks

import (
	"context"
	"fmt"

	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/soma-platform/soma/internal/authority"
)

// Where the API server calls the admission of each kind.
const (
	JobPath         = "/mutate-job"
	JobSecretsPath  = "/validate-job-secrets"
	GrantRecordPath = "/mutate-grant"
	GrantPath       = "/validate-grant"
	RolePath        = "/validate-role"
	UserPath        = "/validate-user"
	ProjectPath     = "/validate-project"
	QuotaPath       = "/validate-quota"
	ClusterPath     = "/validate-cluster"
)

// SetupWithManager registers the webhooks. The recorder acts as the user that is named: nobody else takes a job from the
// history. Until the authority is synced everything is refused.
func SetupWithManager(mgr ctrl.Manager, recorder string, rights *authority.Authority) error {
	reviews, err := authorizationclient.NewForConfig(mgr.GetConfig())
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	r := &reviewer{
		decoder: admission.NewDecoder(mgr.GetScheme()), authority: rights, live: mgr.GetAPIReader(), reviews: reviews.SubjectAccessReviews(),
	}
	server := mgr.GetWebhookServer()
	server.Register(JobPath, &admission.Webhook{Handler: &jobAdmission{reviewer: r, recorder: recorder}, RecoverPanic: new(true)})
	server.Register(GrantRecordPath, &admission.Webhook{Handler: admission.HandlerFunc(r.recordGrant), RecoverPanic: new(true)})
	for path, check := range map[string]func(context.Context, admission.Request) error{
		JobSecretsPath: r.checkJobSecrets, GrantPath: r.checkGrant, RolePath: r.checkRole, UserPath: r.checkUser, ProjectPath: r.checkProject,
		QuotaPath: r.checkQuota, ClusterPath: r.checkCluster,
	} {
		server.Register(path, checking(check))
	}
	return nil
}

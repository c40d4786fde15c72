package matrix

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/test/integration/harness"
)

// objectsOf are the objects of a list.
func objectsOf(g Gomega, list client.ObjectList) []harness.Object {
	GinkgoHelper()
	var all []harness.Object
	g.Expect(meta.EachListItem(list, func(item runtime.Object) error {
		object, ok := item.(harness.Object)
		g.Expect(ok).To(BeTrue(), "%T has no conditions", item)
		all = append(all, object)
		return nil
	})).To(Succeed())
	return all
}

// mayDo asks the API server whether somebody may do something.
func mayDo(g Gomega, username string, groups []string, what authorizationv1.ResourceAttributes) bool {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: username, Groups: groups, ResourceAttributes: &what}}
	g.Expect(harness.K8s.Create(harness.Ctx, review)).To(Succeed())
	return review.Status.Allowed
}

package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// talk is the program of a gang of three: the first replica listens, the others find it by its name and greet it. What they say
// is there before nc begins: it ends when it is answered, whether or not it has said anything.
const talk = `
if [ "$RANK" = 0 ]; then
  (echo welcome | nc -l -p 7001) & (echo welcome | nc -l -p 7002) & wait
else
  until nc "$SOMA_MASTER_ADDR" "700$RANK" <<END
rank $RANK of $WORLD_SIZE says hello
END
  do sleep 0.2; done
fi`

var _ = Describe("a gang", func() {
	It("starts together and its replicas talk to each other", func(ctx context.Context) {
		job := submit(ctx, shell("gang", talk, func(j *v1alpha1.Job) { j.Spec.Replicas = of[int32](3) }))
		Expect(finish(ctx, job)).To(And(phaseIs(v1alpha1.JobSucceeded), exitIs(0)))
		Expect(podsOf(ctx, job)).To(HaveLen(3))
		heard := somaSays("logs", "--rank", "0", job.Name)
		Expect(heard).To(And(ContainSubstring("rank 1 of 3 says hello"), ContainSubstring("rank 2 of 3 says hello")))
		Expect(somaSays("logs", "--rank", "2", job.Name)).To(ContainSubstring("welcome"))
	})

	It("ends as a whole when one replica fails", func(ctx context.Context) {
		job := submit(ctx, shell("gang", `[ "$RANK" = 1 ] && exit 5; `+serve, func(j *v1alpha1.Job) { j.Spec.Replicas = of[int32](3) }))
		Expect(finish(ctx, job)).To(And(phaseIs(v1alpha1.JobFailed), reasonIs(v1alpha1.JobReasonError), exitIs(5)))
		Eventually(livingPods(ctx, job)).Should(BeZero())
	})
})

package e2e

import (
	"context"
	"errors"
	"net/url"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var _ = Describe("PostgreSQL, to whom it speaks", Label("devcluster"), func() {
	// gateways is the address that gateways have, as this machine reaches the database.
	gateways := func(ctx context.Context) *url.URL {
		GinkgoHelper()
		secret := &corev1.Secret{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: "soma-audit"}, secret)).To(Succeed())
		has, err := url.Parse(string(secret.Data["url"]))
		Expect(err).NotTo(HaveOccurred())
		own, err := url.Parse(os.Getenv("SOMA_DATABASE_URL"))
		Expect(err).NotTo(HaveOccurred())
		Expect(has.User.Username()).To(Equal("soma_audit"))
		own.User = has.User
		return own
	}
	refusal := func(err error) string {
		GinkgoHelper()
		var refused *pgconn.PgError
		Expect(err).To(HaveOccurred())
		Expect(errors.As(err, &refused)).To(BeTrue(), err.Error())
		return refused.Code
	}

	It("lets gateways add to the audit log and do nothing else", func(ctx context.Context) {
		connection, err := pgx.Connect(ctx, gateways(ctx).String())
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(connection.Close)
		for _, statement := range []string{
			"SELECT FROM audit.records", "DELETE FROM audit.records", "TRUNCATE audit.records", "DROP TABLE audit.records", "SET ROLE soma", "SELECT FROM transitions",
		} {
			_, err := connection.Exec(ctx, statement)
			Expect(refusal(err)).To(Equal("42501"), statement)
		}
	})

	It("is reached by TLS alone", func(ctx context.Context) {
		plain := gateways(ctx)
		plain.RawQuery = "sslmode=disable"
		_, err := pgx.Connect(ctx, plain.String())
		Expect(refusal(err)).To(Equal("28000"))
	})
})

package audit

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// installation is a database whose owner is no administrator, and the secret of the gateways.
type installation struct {
	*Keeper
	t     *testing.T
	name  string
	store *Store
}

// install makes a database with an owner of its name, who has an attribute.
func install(t *testing.T, name, attribute string) *installation {
	t.Helper()
	administer(t, "postgres", "CREATE ROLE "+name+" LOGIN PASSWORD 'o' "+attribute)
	administer(t, "postgres", "CREATE DATABASE "+name+" OWNER "+name)
	i := &installation{t: t, name: name}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "soma-"}}
	if err := kubernetes.Client.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: WriterSecret}}
	if err := kubernetes.Client.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	i.Keeper = &Keeper{
		DatabaseURL: i.as(name, "o"), Client: kubernetes.Client,
		Secret: types.NamespacedName{Namespace: secret.Namespace, Name: secret.Name}, Clock: clock.RealClock{}, Log: funcr.New(func(string, string) {}, funcr.Options{}),
	}
	i.store = i.open(i.DatabaseURL)
	return i
}

// administer does something in a database as the administrator of the server.
func administer(t *testing.T, database, statement string) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), server.URL(database))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(t.Context()) }()
	if _, err := connection.Exec(t.Context(), statement, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// as is the address of the database for a role.
func (i *installation) as(role, password string) string {
	return strings.Replace(server.URL(i.name), "soma@", url.UserPassword(role, password).String()+"@", 1)
}

func (i *installation) open(address string) *Store {
	i.t.Helper()
	store, err := Open(i.t.Context(), address)
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(store.Close)
	return store
}

func (i *installation) look() error { return i.keep(i.t.Context(), i.store) }

// address is what the secret has for gateways.
func (i *installation) address() string {
	i.t.Helper()
	var secret corev1.Secret
	if err := i.Client.Get(i.t.Context(), i.Secret, &secret); err != nil {
		i.t.Fatal(err)
	}
	return string(secret.Data["url"])
}

// give puts an address into the secret.
func (i *installation) give(address string) {
	i.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: i.Secret.Namespace, Name: i.Secret.Name}}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"data": null}`))
	if address != "" {
		secret.Data = map[string][]byte{"url": []byte(address)}
		patch = client.Merge
	}
	if err := i.Client.Patch(i.t.Context(), secret, patch); err != nil {
		i.t.Fatal(err)
	}
}

// writes records of these names by a store.
func (i *installation) writes(store *Store, names ...string) {
	i.t.Helper()
	for _, name := range names {
		if err := store.Write(i.t.Context(), []Record{record(name)}); err != nil {
			i.t.Errorf("write %s: %v", name, err)
		}
	}
}

// count counts what is in the log, as the owner.
func (i *installation) count() int {
	i.t.Helper()
	var n int
	if err := i.store.pool.QueryRow(i.t.Context(), "SELECT count(*) FROM audit.records").Scan(&n); err != nil {
		i.t.Fatal(err)
	}
	return n
}

// The role that gateways write as adds records, and that is all: it can neither read nor change nor take a rule back.
func TestAWriterCanOnlyAdd(t *testing.T) {
	i := install(t, "adds", "CREATEROLE")
	if err := i.look(); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(i.address(), "postgres://adds_audit:") || strings.Contains(i.address(), ":o@") {
		t.Errorf("the address of gateways is %s", i.address())
	}
	gateway := i.open(i.address())
	// The month is made on the way. What is given twice is there once.
	one := record("one")
	for range 2 {
		if err := gateway.Write(t.Context(), []Record{one, record("other")}); err != nil {
			t.Fatal(err)
		}
	}
	// It gives itself nothing: PostgreSQL only warns.
	if _, err := gateway.pool.Exec(t.Context(), "GRANT ALL ON audit.records TO adds_audit"); err != nil {
		t.Fatal(err)
	}
	partition := "audit.records_" + time.Now().UTC().Format("2006_01")
	for _, statement := range []string{
		"SELECT * FROM audit.records", "UPDATE audit.records SET username = 'bob'", "DELETE FROM audit.records", "TRUNCATE audit.records",
		"ALTER TABLE audit.records DISABLE TRIGGER ALL", "DROP TRIGGER no_change ON audit.records", "DROP TABLE audit.records", "DROP SCHEMA audit CASCADE",
		"ALTER TABLE audit.records DETACH PARTITION " + partition, "SELECT * FROM " + partition, "DELETE FROM " + partition, "DROP TABLE " + partition,
		"ALTER TABLE " + partition + " DISABLE TRIGGER ALL", "SET ROLE soma", "SET ROLE adds", "SET session_replication_role = replica",
		"CREATE OR REPLACE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
		"CREATE TABLE audit.more ()", "CREATE TABLE more ()", "DELETE FROM gateway_audit_version", "SELECT * FROM gateway_audit_version",
		"ALTER TABLE audit.records OWNER TO adds_audit", "ALTER SCHEMA audit OWNER TO adds_audit", "REASSIGN OWNED BY adds TO adds_audit", "DROP OWNED BY adds",
		"GRANT adds TO adds_audit", "ALTER ROLE adds_audit SUPERUSER", "ALTER ROLE adds PASSWORD 'x'", "CREATE ROLE another", "ALTER DATABASE adds OWNER TO adds_audit",
		"DROP DATABASE postgres",
	} {
		var refused *pgconn.PgError
		if _, err := gateway.pool.Exec(t.Context(), statement); !errors.As(err, &refused) || refused.Code != "42501" {
			t.Errorf("%s: %v", statement, err)
		}
	}
	for _, at := range []time.Time{time.Now().AddDate(0, 3, 0), time.Now().AddDate(-1, 0, 0)} {
		far := record("far")
		far.At = at
		if err := gateway.Write(t.Context(), []Record{far}); !errors.Is(err, ErrBadData) {
			t.Errorf("a record of %s: %v", at, err)
		}
	}
	if n := i.count(); n != 3 {
		t.Errorf("%d records are there", n)
	}
}

// What is as it should be stays, and what is not is mended: a password, privileges that are missing or too many, a lost secret, lost tables.
func TestAWriterIsKept(t *testing.T) {
	i := install(t, "kept", "CREATEROLE")
	if err := i.look(); err != nil {
		t.Fatal(err)
	}
	first := i.address()
	for _, step := range []struct{ what, statement string }{
		{what: "nothing"},
		{"another password", "ALTER ROLE kept_audit PASSWORD 'other'"},
		{"a privilege that is gone", "REVOKE INSERT ON audit.records FROM kept_audit"},
		{"a privilege too many", "GRANT SELECT ON audit.records TO kept_audit"},
		{"no role", "DROP OWNED BY kept_audit; DROP ROLE kept_audit"},
		{"no tables", "DROP SCHEMA audit CASCADE; DROP TABLE gateway_audit_version"},
	} {
		if step.statement != "" {
			administer(t, "kept", step.statement)
		}
		if err := i.look(); err != nil {
			t.Errorf("%s: %v", step.what, err)
		}
		if i.address() != first {
			t.Errorf("%s: the address is another one", step.what)
		}
		gateway := i.open(first)
		i.writes(gateway, step.what)
		if _, err := gateway.pool.Exec(t.Context(), "SELECT * FROM audit.records"); err == nil {
			t.Errorf("%s: the gateway can read the log", step.what)
		}
	}
	i.give("")
	if err := i.look(); err != nil {
		t.Fatal(err)
	}
	if i.address() == first || i.address() == "" {
		t.Error("an address that was lost is not made anew")
	}
	i.writes(i.open(i.address()), "another password")
}

// Gateways that write as the owner, as they did, and such that only add go on beside each other, whichever comes first.
func TestGatewaysOfBothKindsWrite(t *testing.T) {
	for name, keeperFirst := range map[string]bool{"gateways_first": false, "manager_first": true} {
		t.Run(name, func(t *testing.T) {
			i := install(t, name, "CREATEROLE")
			old := i.open(i.DatabaseURL)
			if keeperFirst {
				if err := i.look(); err != nil {
					t.Fatal(err)
				}
			}
			i.writes(old, "before")
			if err := i.look(); err != nil {
				t.Fatal(err)
			}
			current := i.open(i.address())
			i.writes(current, "new")
			i.writes(old, "still there")
			i.writes(i.open(i.DatabaseURL), "gone back to")
			i.writes(current, "new again")
			if n := i.count(); n != 5 {
				t.Errorf("%d records are there", n)
			}
			if !old.owns || current.owns {
				t.Errorf("that its role owns the log knows the old gateway: %t, the new: %t", old.owns, current.owns)
			}
		})
	}
}

// Where the owner may not make roles, an administrator makes one, and gives its address.
func TestAWriterThatIsGiven(t *testing.T) {
	i := install(t, "managed", "")
	if err := i.look(); !errors.Is(err, errRoles) || i.address() != "" {
		t.Errorf("an owner who may not make roles: %v; gateways have %q", err, i.address())
	}
	administer(t, "postgres", "CREATE ROLE given LOGIN PASSWORD 'g'")
	i.give(i.as("given", "g"))
	if err := i.look(); err != nil {
		t.Fatal(err)
	}
	i.writes(i.open(i.address()), "by the given role")
	administer(t, "postgres", "CREATE ROLE member LOGIN PASSWORD 'm' IN ROLE managed")
	administer(t, "postgres", "CREATE ROLE reader LOGIN PASSWORD 'r' IN ROLE pg_read_all_data")
	for address, want := range map[string]string{
		i.DatabaseURL:           "owns the audit log",
		i.as("member", "m"):     "owns the audit log",
		server.URL(i.name):      "owns the audit log",
		i.as("reader", "r"):     "may not only add",
		i.as("nobody", "n"):     "CREATE ROLE",
		i.as("given", "wrong"):  "ALTER ROLE",
		"postgres://given:p%@x": "not a PostgreSQL address",
	} {
		i.give(address)
		if err := i.look(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "p%") {
			t.Errorf("%s: %v", address, err)
		}
	}
	if n := i.count(); n != 1 {
		t.Errorf("%d records are there", n)
	}
}

// Where no gateway is installed there is nothing to keep.
func TestNoGateways(t *testing.T) {
	i := install(t, "alone", "")
	i.Secret.Name = "there-is-none"
	if err := i.look(); err != nil {
		t.Fatal(err)
	}
}

// A keeper that begins while the database is away makes all ready once it is back.
func TestAKeeperWaitsForTheDatabase(t *testing.T) {
	i := install(t, "waited_for", "CREATEROLE")
	if err := server.Down(); err != nil {
		t.Fatal(err)
	}
	told := make(chan struct{}, 1)
	i.Log = funcr.New(func(string, string) {
		select {
		case told <- struct{}{}:
		default:
		}
	}, funcr.Options{})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- i.Start(ctx) }()
	<-told
	if err := server.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		var secret corev1.Secret
		err := i.Client.Get(ctx, i.Secret, &secret)
		return len(secret.Data["url"]) > 0, err
	})
	if err != nil {
		t.Errorf("there is no address: %v", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	i.writes(i.open(i.address()), "one")
}

func TestWriterURL(t *testing.T) {
	for owner, want := range map[string]string{
		"postgres://soma:s@db:5432/soma":                                           "postgres://soma_audit:p@db:5432/soma",
		"postgresql://soma:s@a:1,b:2/other?sslmode=verify-full&sslrootcert=system": "postgresql://other_audit:p@a:1,b:2/other?sslmode=verify-full&sslrootcert=system",
		"postgres://db/soma?user=soma&password=s&sslmode=disable":                  "postgres://soma_audit:p@db/soma?sslmode=disable",
		"postgres://soma:s@db":                                                     "postgres://soma_audit:p@db",
		"host=db user=soma password=s dbname=soma":                                 "",
		"postgres://soma:s@db/" + strings.Repeat("x", 60):                          "",
	} {
		got, err := writerURL(owner, "p")
		if got != want || (err == nil) != (want != "") || err != nil && strings.Contains(err.Error(), "=s") {
			t.Errorf("%s: %q, %v", owner, got, err)
		}
	}
}

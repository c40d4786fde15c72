package cli

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/token"
)

// Users, roles, service accounts and quotas, as an administrator and as somebody who may see their own alone.
func TestPeople(t *testing.T) {
	o := openOffice(t)
	o.synced(t)
	o.compile(t)

	// The API server learns of each binding by itself.
	for _, who := range []string{"ada", "bob", "carol"} {
		o.eventually(t, exitOK, who, "role ls")
	}
	o.expects(t, exitOK, "ada", "role ls", "project-manager", "project-writer")
	o.expects(t, exitOK, "ada", "role get project-writer -o name", "role.platform.soma.dev/project-writer")
	o.expects(t, exitOK, "ada", "role describe project-manager", "project-manager: Says who works", "write  on project:", "\n  project-writer: Works", "\n    project-reader: Looks", "      list   on secret:")
	o.expects(t, exitFailure, "ada", "role describe nothing", "does not exist")
	o.expects(t, exitOK, "bob", "role ls -o name", "everyone")
	o.expects(t, exitOK, "carol", "role ls", "organization-manager", "project-reader")

	o.expects(t, exitOK, "ada", "user create dave --issuer https://login.example.com --subject 42 --display-name Dave --role organization-reader:acme", "dave\n")
	o.expects(t, exitUsage, "ada", "user create erin --issuer https://login.example.com", "--issuer and --subject go together")
	o.expects(t, exitUsage, "ada", "user create erin", "--issuer and --subject", "--no-identity", "service-account create")
	o.expects(t, exitUsage, "ada", "user create erin --no-identity --issuer https://login.example.com --subject 43", "--no-identity")
	o.expects(t, exitOK, "ada", "user create erin --no-identity", "erin\n")
	o.expects(t, exitOK, "ada", "user get erin", "Signs in as:", "nobody")
	o.expects(t, exitOK, "ada", "user ls", "dave", "organization-reader in organization acme", "carol")
	o.expects(t, exitOK, "ada", "user disable dave", "dave is disabled")
	o.expects(t, exitOK, "ada", "user get dave", "Disabled:", "42 of https://login.example.com")
	o.expects(t, exitOK, "ada", "user enable dave", "dave is enabled")
	o.expects(t, exitFailure, "bob", "user disable carol", "missing write on user://carol")
	o.same(t, "bob", "user get carol", "user get nobody")

	o.expects(t, exitOK, "bob", "service-account create ci", "ci\n")
	o.eventually(t, exitOK, "bob", "can-i manage user/ci")
	o.compile(t)
	o.eventually(t, exitOK, "bob", "user get ci")
	code, text, said := o.soma("bob", "service-account", "token", "ci", "--id", "build", "--expires", "7d", "--scope", "write=job://local/acme/vision")
	made, err := token.Parse(strings.TrimSpace(text))
	if code != exitOK || err != nil || made != (token.Token{User: "ci", ID: "build"}) || !strings.Contains(said, "not shown again") {
		t.Fatalf("got %d: %s%s, %v", code, text, said, err)
	}
	user := &v1alpha1.User{}
	if err := o.server.Client.Get(t.Context(), types.NamespacedName{Name: "ci"}, user); err != nil {
		t.Fatal(err)
	}
	if len(user.Spec.Tokens) != 1 || user.Spec.Owner != "bob" {
		t.Fatalf("got %+v", user.Spec)
	}
	kept := user.Spec.Tokens[0]
	if !token.Matches(strings.TrimSpace(text), kept.Hash) || kept.Scope[0] != (v1alpha1.Permission{URI: "job://local/acme/vision", Action: "write"}) ||
		kept.ExpiresAt.Sub(time.Now().AddDate(0, 0, 7)).Abs() > time.Minute {
		t.Errorf("got %+v", kept)
	}
	o.expects(t, exitFailure, "bob", "service-account token ci --id build", `has a token "build" already`)
	o.expects(t, exitUsage, "bob", "service-account token ci --id A_B", "lower-case letters")
	o.expects(t, exitOK, "bob", "service-account token ci", "soma_ci_")
	o.expects(t, exitOK, "bob", "service-account ls", "build", "write on job://local/acme/vision", "everything that the account may")
	o.expects(t, exitFailure, "bob", "service-account revoke ci nothing", `has no token "nothing"`)
	o.expects(t, exitOK, "bob", "user get ci", "Owner:", "build, until", "write on job://local/acme/vision")
	o.expects(t, exitOK, "bob", "service-account revoke ci build", "token build of ci revoked\n")
	o.expects(t, exitOK, "bob", "service-account revoke ci --all", "of ci revoked\n")
	o.expects(t, exitOK, "bob", "service-account revoke ci --all", "has no tokens")
	o.expects(t, exitFailure, "ada", "service-account token bob", "is no service account")
	if err := o.server.Client.Get(t.Context(), types.NamespacedName{Name: "ci"}, user); err != nil || len(user.Spec.Tokens) != 0 {
		t.Errorf("got %+v, %v", user.Spec.Tokens, err)
	}

	o.expects(t, exitOK, "carol", "quota", "you", "research", "gpus", "project vision", "acme")
	o.expects(t, exitOK, "carol", "quota ls", "research", "acme")
	o.expects(t, exitOK, "carol", "quota status", "BORROWED", "LEFT", "gpus")
	o.expects(t, exitOK, "ada", "quota status", "LEFT")
	o.expects(t, exitFailure, "bob", "quota", "does not exist, or you may not see it")

	// Who has nothing yet is told where to go.
	o.expects(t, exitOK, "bob", "project ls", "You have no projects.", "soma acl grant YOU project-writer")
	o.expects(t, exitOK, "bob", "project ls -o name")
	o.expects(t, exitOK, "bob", "quota ls", "There are no quotas that you may see")
	o.expects(t, exitFailure, "bob", "ps", `project "vision" does not exist, or you may not see it`, "soma project ls")
	o.expects(t, exitFailure, "bob", "ps -P elsewhere", `project "elsewhere" does not exist, or you may not see it`, "soma project ls")
	o.expects(t, exitFailure, "bob", "run busybox", `project "vision" does not exist, or you may not see it`)
	o.expects(t, exitOK, "carol", "project ls", "vision")
	o.expects(t, exitUsage, "bob", "service-account token ci --scope write=job:", `--scope: job: lies in the current project: project "vision" does not exist, or you may not see it`)
}

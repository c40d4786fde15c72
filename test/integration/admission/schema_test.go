package admission

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/integration/harness"
)

// apply is the error with which an administrator would apply an object, as a person writes it: the kind, the name, and the spec in
// YAML. Fields that do not exist are refused, as kubectl does.
func apply(kind, name, spec string) error {
	GinkgoHelper()
	o := &unstructured.Unstructured{Object: map[string]any{}}
	fields := map[string]any{}
	Expect(yaml.Unmarshal([]byte(spec), &fields)).To(Succeed())
	o.Object["spec"] = fields
	o.SetAPIVersion(v1alpha1.GroupVersion.String())
	o.SetKind(kind)
	o.SetName(name)
	if kind == "Grant" {
		o.SetNamespace("vision")
	}
	return client.WithFieldValidation(harness.K8s, metav1.FieldValidationStrict).Create(harness.Ctx, o, client.DryRunAll)
}

// uri is the spec of a role with one address.
func uri(address string) string { return fmt.Sprintf(`{grants: [{uri: %q, action: read}]}`, address) }

// to is the spec of a grant of reading a job.
func to(grantee string) string { return `{uri: "job:train", action: read, to: ` + grantee + `}` }

// tokenWith is the spec of a service account with one token.
func tokenWith(fields string) string {
	return `{type: ServiceAccount, owner: bob, tokens: [{id: a, hash: ` + hash + `, expiresAt: "2036-01-01T00:00:00Z"` + fields + `}]}`
}

var _ = DescribeTable("What is wrong is refused, with the field and the rule",
	func(kind, name, spec string, want ...string) {
		if name == "" {
			name = "valid"
		}
		Expect(apply(kind, name, spec)).To(refuses(want...))
	},
	Entry("role: an unknown scheme", "Role", "", uri("jobs://local"), "spec.grants[0].uri", "should match"),
	Entry("role: a scheme in capitals", "Role", "", uri("Job:train"), "spec.grants[0].uri", "should match"),
	Entry("role: no scheme", "Role", "", uri("train"), "spec.grants[0].uri", "should match"),
	Entry("role: an empty address", "Role", "", uri(""), "spec.grants[0].uri", "at least 4 chars"),
	Entry("role: half a root", "Role", "", uri("job:/"), "spec.grants[0].uri", "should match"),
	Entry("role: an empty segment", "Role", "", uri("job://local//vision"), "spec.grants[0].uri", "should match"),
	Entry("role: an end with a slash", "Role", "", uri("job://local/acme/"), "spec.grants[0].uri", "should match"),
	Entry("role: ..", "Role", "", uri("job://local/acme/.."), "spec.grants[0].uri", "no segment '.' or '..'"),
	Entry("role: .. in between", "Role", "", uri("storage:a/../b"), "spec.grants[0].uri", "no segment '.' or '..'"),
	Entry("role: . at the beginning", "Role", "", uri("storage:./b"), "spec.grants[0].uri", "no segment '.' or '..'"),
	Entry("role: an encoded slash", "Role", "", uri("job://local%2facme"), "spec.grants[0].uri", "should match"),
	Entry("role: encoded dots", "Role", "", uri("storage:%2e%2e/b"), "spec.grants[0].uri", "should match"),
	Entry("role: a wildcard", "Role", "", uri("job://*/acme"), "spec.grants[0].uri", "should match"),
	Entry("role: a wildcard in a name", "Role", "", uri("job:train-*"), "spec.grants[0].uri", "should match"),
	Entry("role: another wildcard", "Role", "", uri("job:tr?in"), "spec.grants[0].uri", "should match"),
	Entry("role: a backslash", "Role", "", uri(`storage:a\b`), "spec.grants[0].uri", "should match"),
	Entry("role: a fragment", "Role", "", uri("storage:a#b"), "spec.grants[0].uri", "should match"),
	Entry("role: a space", "Role", "", uri("storage:a b"), "spec.grants[0].uri", "should match"),
	Entry("role: a character of control", "Role", "", uri("storage:a\x01b"), "spec.grants[0].uri", "should match"),
	Entry("role: NUL", "Role", "", uri("storage:a\x00b"), "spec.grants[0].uri", "should match"),
	Entry("role: a character without width", "Role", "", uri("storage:a\u200bb"), "spec.grants[0].uri", "addresses do not have"),
	Entry("role: a character that turns the direction", "Role", "", uri("storage:a\u202eb"), "spec.grants[0].uri", "addresses do not have"),
	Entry("role: a character in two parts", "Role", "", uri("storage:u\u0308"), "spec.grants[0].uri", "use the composed one"),
	Entry("role: a wide letter", "Role", "", uri("storage:\uff41"), "spec.grants[0].uri", "more than one way"),
	Entry("role: a Cyrillic letter in an organization", "Role", "", uri("job://local/\u0430cme"), "spec.grants[0].uri", "lower-case letters"),
	Entry("role: a capital in a project", "Role", "", uri("job://local/acme/Vision"), "spec.grants[0].uri", "lower-case letters"),
	Entry("role: a relative cluster", "Role", "", uri("cluster:local"), "spec.grants[0].uri", "begin with '//'"),
	Entry("role: something below a user", "Role", "", uri("user://bob/x"), "spec.grants[0].uri", "nothing below a user"),
	Entry("role: too deep", "Role", "", uri("storage:"+strings.Repeat("a/", 32)+"a"), "spec.grants[0].uri", "32 are allowed"),
	Entry("role: too long", "Role", "", uri("storage:"+strings.Repeat("a", 505)), "spec.grants[0].uri", "may not be more than 512"),
	Entry("role: an unknown action", "Role", "", `{grants: [{uri: "job:", action: delete}]}`, "spec.grants[0].action", "Unsupported value"),
	Entry("role: every action", "Role", "", `{grants: [{uri: "job:", action: "*"}]}`, "spec.grants[0].action", "Unsupported value"),
	Entry("role: no action", "Role", "", `{grants: [{uri: "job:"}]}`, "spec.grants[0].action", "Required value"),
	Entry("role: an address twice", "Role", "", `{grants: [{uri: "job:", action: read}, {uri: "job:", action: list}]}`, "spec.grants[1]", "Duplicate value"),
	Entry("role: too many addresses", "Role", "", `{grants: [`+addresses(257)+`]}`, "spec.grants", "at most 256 items"),
	Entry("role: itself", "Role", "", `{includes: [valid]}`, "a role cannot include itself"),
	Entry("role: what does not exist", "Role", "", `{includes: [gone]}`, `spec.includes[0]: there is no role "gone"`),
	Entry("role: what differs by case", "Role", "", `{includes: [Reader]}`, "spec.includes[0]", "should match"),
	Entry("role: a Cyrillic look-alike", "Role", "", `{includes: ["r\u0435ader"]}`, "spec.includes[0]", "should match"),
	Entry("role: one twice", "Role", "", `{includes: [reader, reader]}`, "spec.includes[1]", "Duplicate value"),
	Entry("role: too many", "Role", "", `{includes: [`+names("r", 65)+`]}`, "spec.includes", "at most 64 items"),
	Entry("role: a name with a capital", "Role", "Valid", `{}`, "metadata.name"),
	Entry("role: a name with a dot", "Role", "a.b", `{}`, "a role's name is a DNS label"),
	Entry("role: a name with a colon", "Role", "system:x", `{}`, "metadata.name"),
	Entry("role: a Cyrillic name", "Role", "r\u0435ader", `{}`, "metadata.name"),
	Entry("role: a name too long", "Role", strings.Repeat("a", 64), `{}`, "a role's name is a DNS label"),
	Entry("role: a field that does not exist", "Role", "", `{rights: []}`, "spec.rights", "unknown field"),

	Entry("grant: to nobody", "Grant", "", to(`{}`), "spec.to", "exactly one of them"),
	Entry("grant: to a user and a group", "Grant", "", to(`{user: bob, group: all}`), "spec.to", "exactly one of them"),
	Entry("grant: to a user and a role", "Grant", "", to(`{user: bob, role: reader}`), "spec.to", "exactly one of them"),
	Entry("grant: to all three", "Grant", "", to(`{user: bob, role: reader, group: all}`), "spec.to", "exactly one of them"),
	Entry("grant: to an unknown user", "Grant", "", to(`{user: eve}`), `spec.to.user: there is no user "eve"`),
	Entry("grant: to a user who differs by case", "Grant", "", to(`{user: Bob}`), "spec.to.user", "should match"),
	Entry("grant: to a look-alike", "Grant", "", to(`{user: "b\u043eb"}`), "spec.to.user", "should match"),
	Entry("grant: to a user of Kubernetes", "Grant", "", to(`{user: "system:anonymous"}`), "spec.to.user", "should match"),
	Entry("grant: to an unknown role", "Grant", "", to(`{role: gone}`), `spec.to.role: there is no role "gone"`),
	Entry("grant: to an empty group", "Grant", "", to(`{group: ""}`), "spec.to", "exactly one of them"),
	Entry("grant: to a group with a line break", "Grant", "", to(`{group: "a\nb"}`), "spec.to.group", "should match"),
	Entry("grant: nothing", "Grant", "", `{to: {user: bob}}`, "spec", "one of the two"),
	Entry("grant: a role and an address", "Grant", "", `{to: {user: bob}, role: reader, uri: "job:train", action: read}`, "spec", "one of the two"),
	Entry("grant: a role and an action", "Grant", "", `{to: {user: bob}, role: reader, action: read}`, "spec", "one of the two"),
	Entry("grant: an address alone", "Grant", "", `{to: {user: bob}, uri: "job:train"}`, "spec", "one of the two"),
	Entry("grant: an action alone", "Grant", "", `{to: {user: bob}, action: read}`, "spec", "one of the two"),
	Entry("grant: an unknown role", "Grant", "", `{to: {user: bob}, role: gone}`, `spec.role: there is no role "gone"`),
	Entry("grant: a role that differs by case", "Grant", "", `{to: {user: bob}, role: READER}`, "spec.role", "should match"),
	Entry("grant: ..", "Grant", "", `{to: {user: bob}, uri: "job:../robots/x", action: read}`, "spec.uri", "no segment '.' or '..'"),
	Entry("grant: a user", "Grant", "", `{to: {user: bob}, uri: "user://bob", action: read}`, "spec.uri", "not in this project"),
	Entry("grant: all projects", "Grant", "", `{to: {user: bob}, uri: "job://", action: read}`, "spec.uri", "not in this project"),
	Entry("grant: another project", "Grant", "", `{to: {user: bob}, uri: "job://local/acme/robots", action: read}`, "spec.uri", "not in this project"),
	Entry("grant: a job on a cluster", "Grant", "", `{to: {user: bob}, uri: "job://east/acme/vision", action: read}`, "spec.uri", "below the cluster local"),
	Entry("grant: something below a job", "Grant", "", `{to: {user: bob}, uri: "job:train/logs", action: read}`, "spec.uri", "nothing below a job"),
	Entry("grant: an end in the past", "Grant", "", `{to: {user: bob}, uri: "job:train", action: read, expiresAt: "2020-01-01T00:00:00Z"}`, "spec.expiresAt", "ended already"),
	Entry("grant: an end that is no time", "Grant", "", `{to: {user: bob}, uri: "job:train", action: read, expiresAt: tomorrow}`, "expiresAt"),
	Entry("grant: a name too long", "Grant", strings.Repeat("a", 64), to(`{user: bob}`), "a grant's name has at most 63 characters"),

	Entry("user: a name with a capital", "User", "Bob", `{}`, "metadata.name"),
	Entry("user: a name with a dot", "User", "a.b", `{}`, "a user's name is a DNS label"),
	Entry("user: a name that begins with a digit", "User", "1a", `{}`, "a user's name is a DNS label"),
	Entry("user: a look-alike", "User", "b\u043eb", `{}`, "metadata.name"),
	Entry("user: an unknown type", "User", "", `{type: Robot}`, "spec.type", "Unsupported value"),
	Entry("user: 10,000 roles", "User", "", `{roles: [`+strings.Repeat("{role: reader},", 10000)+`]}`, "spec.roles", "at most 256 items"),
	Entry("user: an unknown role", "User", "", `{roles: [{role: gone}]}`, `spec.roles[0].role: there is no role "gone"`),
	Entry("user: a role that differs by case", "User", "", `{roles: [{role: Reader}]}`, "spec.roles[0].role", "should match"),
	Entry("user: an organization in capitals", "User", "", `{roles: [{role: reader, organization: Acme}]}`, "spec.roles[0].organization", "should match"),
	Entry("user: an identity twice", "User", "", `{identities: [{issuer: "https://a.b", subject: x}, {issuer: "https://a.b", subject: x}]}`, "spec.identities[1]", "Duplicate value"),
	Entry("user: an identity of another", "User", "", `{identities: [{issuer: "https://id.example.org", subject: bob}]}`, "spec.identities[0]", `is user "bob" already`),
	Entry("user: an issuer without TLS", "User", "", `{identities: [{issuer: "http://a.b", subject: x}]}`, "spec.identities[0].issuer", "should match"),
	Entry("user: an issuer with a fragment", "User", "", `{identities: [{issuer: "https://a.b#x", subject: x}]}`, "spec.identities[0].issuer", "should match"),
	Entry("user: an empty subject", "User", "", `{identities: [{issuer: "https://a.b", subject: ""}]}`, "spec.identities[0].subject", "at least 1 chars"),
	Entry("user: a person with an owner", "User", "", `{owner: bob}`, "spec", "a person has no owner"),
	Entry("user: a person with tokens", "User", "", `{tokens: [{id: a, hash: `+hash+`, expiresAt: "2026-12-01T00:00:00Z"}]}`, "spec", "no tokens"),
	Entry("user: a service account without owner", "User", "", `{type: ServiceAccount}`, "spec", "has an owner"),
	Entry("user: a service account with an identity", "User", "", `{type: ServiceAccount, owner: bob, identities: [{issuer: "https://a.b", subject: x}]}`, "spec", "no identities"),
	Entry("user: an unknown owner", "User", "", `{type: ServiceAccount, owner: eve}`, `spec.owner: there is no person "eve"`),
	Entry("user: an owner who differs by case", "User", "", `{type: ServiceAccount, owner: Bob}`, "spec.owner", "should match"),
	Entry("user: an unknown delegate", "User", "", `{delegates: [eve]}`, `spec.delegates[0]: there is no user "eve"`),
	Entry("user: too many delegates", "User", "", `{delegates: [`+names("u", 33)+`]}`, "spec.delegates", "at most 32 items"),
	Entry("user: a token for ten years", "User", "", tokenWith(``), "spec.tokens[0].expiresAt", "within a year"),
	Entry("user: a token for ..", "User", "", tokenWith(`, scope: [{uri: "job://local/..", action: read}]`), "spec.tokens[0].scope[0].uri", "'.' or '..'"),
	Entry("user: a token for something relative", "User", "", tokenWith(`, scope: [{uri: "job:", action: read}]`), "spec.tokens[0].scope[0].uri", "relative"),
	Entry("user: a token that is not hashed", "User", "", `{type: ServiceAccount, owner: bob, tokens: [{id: a, hash: secret, expiresAt: "2026-12-01T00:00:00Z"}]}`, "spec.tokens[0].hash"),
	Entry("user: a token without end", "User", "", `{type: ServiceAccount, owner: bob, tokens: [{id: a, hash: `+hash+`}]}`, "spec.tokens[0].expiresAt", "Required value"),
	Entry("user: no address for mail", "User", "", `{email: nobody}`, "spec.email", "should match"),
)

func addresses(count int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, `{uri: "job:a%d", action: read},`, i)
	}
	return text.String()
}

func names(prefix string, count int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, "%s%d,", prefix, i)
	}
	return text.String()
}

var _ = Describe("What cannot be changed", func() {
	It("of a user is the type and the owner, not even by taking the spec away", func() {
		bot := made(service("fixed", "bob"))
		Expect(changed(harness.K8s, bot, func(u *v1alpha1.User) { u.Spec.Owner = "carol" })).To(refuses("spec.owner", "cannot be changed"))
		Expect(changed(harness.K8s, bot, func(u *v1alpha1.User) { u.Spec = v1alpha1.UserSpec{} })).To(refuses("spec"))
		Expect(changed(harness.K8s, bot, func(u *v1alpha1.User) { u.Spec.Type, u.Spec.Owner = v1alpha1.UserPerson, "" })).To(refuses("spec.type"))
		one := made(&v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "plain"}})
		Expect(one.Spec.Type).To(Equal(v1alpha1.UserPerson))
		Expect(changed(harness.K8s, one, func(u *v1alpha1.User) { u.Spec = service("x", "bob").Spec })).To(refuses("spec.type"))
	})

	It("of a project is the organization, not even by taking the spec away", func() {
		p := made(&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "fixed"}, Spec: v1alpha1.ProjectSpec{Organization: "acme"}})
		Expect(changed(harness.K8s, p, func(p *v1alpha1.Project) { p.Spec.Organization = "evil" })).To(refuses("spec.organization", "cannot be changed"))
		Expect(changed(harness.K8s, p, func(p *v1alpha1.Project) { p.Spec = v1alpha1.ProjectSpec{} })).To(refuses("spec.organization"))
		plain := made(&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "plain"}})
		Expect(changed(harness.K8s, plain, func(p *v1alpha1.Project) { p.Spec.Organization = "evil" })).To(refuses("spec.organization"))
	})
})

package cli

import (
	"os"
	"regexp"
	"strings"
	"testing"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// codeBlock is what a page of Markdown has to be typed.
var codeBlock = regexp.MustCompile(`^\n\n((?:    .*\n)+)`)

// blockOf is the block behind a sentence of the page on access.
func blockOf(t *testing.T, sentence string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), sentence)
	block := codeBlock.FindStringSubmatch(rest)
	if !found || block == nil {
		t.Fatalf("nothing to type follows %q", sentence)
	}
	return strings.ReplaceAll("\n"+block[1], "\n    ", "\n")
}

// The page on access shows commands that work, for who is said to type them.
func TestPageOnAccess(t *testing.T) {
	o := openOffice(t)
	o.synced(t)
	o.compile(t)
	type as struct{ who, sentence string }
	for _, part := range []as{
		{"carol", "for a week:"}, {"bob", "nothing else of the project:"}, {"carol", "by the same words:"}, {"carol", "in the same way:"},
		{"ada", "stand in the `User`:"}, {"carol", "it works while they may work:"},
	} {
		for line := range strings.Lines(strings.TrimSpace(blockOf(t, part.sentence))) {
			words := strings.Fields(line)
			if words[0] != "soma" {
				t.Fatalf("%q is no command of Soma's", line)
			}
			if part.who == "ada" { // the page's user is there already
				words[3] = "erin"
			}
			o.eventually(t, exitOK, part.who, strings.Join(words[1:], " "))
			// The controllers that compile rights do not run here.
			o.compile(t)
		}
	}
	grant := &v1alpha1.Grant{}
	if err := utilyaml.UnmarshalStrict([]byte(blockOf(t, "The same from Git:")), grant); err != nil {
		t.Fatal(err)
	}
	if grant.Name != grantName(&grant.Spec) {
		t.Errorf("the page's grant is named %s, and by the command line %s", grant.Name, grantName(&grant.Spec))
	}
	if err := o.server.Client.Create(t.Context(), grant); err != nil {
		t.Error(err)
	}
}

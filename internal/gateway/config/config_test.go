package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const good = `
externalURL: https://soma.example
keysFile: /keys
issuers:
- {name: id, url: "https://id.example/realm", clientID: soma, cliClientID: soma-cli}
`

func TestParse(t *testing.T) {
	c, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if c.SessionLifetime.Duration != 12*time.Hour || c.SessionIdle.Duration != 2*time.Hour || c.CreateUsers || c.Loopback() {
		t.Errorf("%+v", c)
	}
	if i := c.Issuers[0]; i.GroupsClaim != "groups" || strings.Join(i.Scopes, " ") != "openid profile email groups offline_access" || i.Title() != "id" {
		t.Errorf("%+v", i)
	}
}

// Where no proxy asks, it has no token.
func TestPagesThatNoProxyCarries(t *testing.T) {
	c, err := Parse([]byte(good + "jobPages: {domain: jobs.example.org, assertionKeyFile: /key}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if token, err := c.JobPages.ProxyToken(); token != "" || err != nil {
		t.Errorf("%q: %v", token, err)
	}
}

func TestParseRefuses(t *testing.T) {
	tests := map[string]struct{ old, new, want string }{
		"what it does not know":            {"keysFile", "keyFile", "keyFile"},
		"no https":                         {"https://soma.example", "http://soma.example", "externalURL"},
		"a path":                           {"https://soma.example", "https://soma.example/x", "externalURL"},
		"upper case":                       {"https://soma.example", "https://Soma.example", "externalURL"},
		"the port that goes unsaid":        {"https://soma.example", "https://soma.example:443", "externalURL"},
		"a person in the address":          {"https://soma.example", "https://a@soma.example", "externalURL"},
		"an issuer without https":          {"https://id.example", "http://id.example", "url"},
		"an issuer with a query":           {"realm", "realm?x=y", "url"},
		"one client for all":               {"cliClientID: soma-cli", "cliClientID: soma", "cliClientID"},
		"no client":                        {"clientID: soma,", "", "clientID"},
		"a name with a slash":              {"name: id", "name: i/d", "name"},
		"twice the same":                   {"issuers:", "issuers:\n- {name: id, url: \"https://other.example\", clientID: x}", "same name"},
		"groups that cannot be told apart": {"issuers:", "issuers:\n- {name: x, url: \"https://other.example\", clientID: x}", "groupsPrefix"},
		"no issuer":                        {good[strings.Index(good, "- {name"):], "", "issuers"},
		"a long session":                   {"keysFile", "sessionLifetime: 1000h\nkeysFile", "sessionLifetime"},
		"idle for longer":                  {"keysFile", "sessionLifetime: 1h\nsessionIdle: 2h\nkeysFile", "sessionIdle"},
		"scopes with spaces":               {"clientID: soma,", "clientID: soma, scopes: ['a b'],", "scopes"},
		"no keys":                          {"keysFile: /keys", "", "keysFile"},
		"pages below no domain":            {"keysFile", "jobPages: {assertionKeyFile: /key}\nkeysFile", "jobPages"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(good, test.old, test.new, 1)
			if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestLoadIsBounded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(good+strings.Repeat("# filler\n", maxFile/9)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("%v", err)
	}
}

func TestGroupsOfSeveral(t *testing.T) {
	parse := func(prefixes ...string) (*Config, error) {
		text := strings.TrimSuffix(good[:strings.Index(good, "- {name")], "\n")
		for i, prefix := range prefixes {
			text += fmt.Sprintf("\n- {name: p%d, url: \"https://p%[1]d.example\", clientID: soma, groupsPrefix: %q}", i, prefix)
		}
		return Parse([]byte(text))
	}
	for _, wrong := range [][]string{{"", ""}, {"a:", "a:"}, {"a:", "a:b:"}, {"a:b:", "a:"}, {"", "a:", "b:", ""}} {
		if _, err := parse(wrong...); err == nil || !strings.Contains(err.Error(), "groupsPrefix") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	c, err := parse("", "a:", "b:")
	if err != nil {
		t.Fatal(err)
	}
	for group, owner := range map[string]int{"ml": 0, "a:ml": 1, "b:ml": 2, "ab:ml": 0, "a": 0, "a:": 1} {
		for i := range c.Issuers {
			if got := c.Issuers[i].Owns(group); got != (i == owner) {
				t.Errorf("whether %q is of %d: %v", group, i, got)
			}
		}
	}
	if c, err = parse("a:"); err != nil || !c.Issuers[0].Owns("a:ml") || c.Issuers[0].Owns("ml") {
		t.Errorf("one with a prefix: %v", err)
	}
}

package config

import (
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

func TestParseRefuses(t *testing.T) {
	tests := map[string]struct{ old, new, want string }{
		"what it does not know":     {"keysFile", "keyFile", "keyFile"},
		"no https":                  {"https://soma.example", "http://soma.example", "externalURL"},
		"a path":                    {"https://soma.example", "https://soma.example/x", "externalURL"},
		"upper case":                {"https://soma.example", "https://Soma.example", "externalURL"},
		"the port that goes unsaid": {"https://soma.example", "https://soma.example:443", "externalURL"},
		"a person in the address":   {"https://soma.example", "https://a@soma.example", "externalURL"},
		"an issuer without https":   {"https://id.example", "http://id.example", "url"},
		"an issuer with a query":    {"realm", "realm?x=y", "url"},
		"one client for all":        {"cliClientID: soma-cli", "cliClientID: soma", "cliClientID"},
		"no client":                 {"clientID: soma,", "", "clientID"},
		"a name with a slash":       {"name: id", "name: i/d", "name"},
		"twice the same":            {"issuers:", "issuers:\n- {name: id, url: \"https://other.example\", clientID: x}", "same name"},
		"no issuer":                 {good[strings.Index(good, "- {name"):], "", "issuers"},
		"a long session":            {"keysFile", "sessionLifetime: 1000h\nkeysFile", "sessionLifetime"},
		"idle for longer":           {"keysFile", "sessionLifetime: 1h\nsessionIdle: 2h\nkeysFile", "sessionIdle"},
		"scopes with spaces":        {"clientID: soma,", "clientID: soma, scopes: ['a b'],", "scopes"},
		"no keys":                   {"keysFile: /keys", "", "keysFile"},
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

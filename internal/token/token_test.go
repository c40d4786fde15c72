package token

import (
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	made, err := New("ci-runner", "2026-12", [SecretBytes]byte{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Parse(made); err != nil || got != (Token{User: "ci-runner", ID: "2026-12"}) {
		t.Errorf("Parse(%s) = %v, %v", made, got, err)
	}
	if !Is(made) || !Matches(made, Hash(made)) {
		t.Errorf("%s is not found by its own hash", made)
	}
	if Matches(made+"a", Hash(made)) || Matches(made, "") || Matches("", Hash(made)) {
		t.Error("another token is found by the hash")
	}
}

func TestNewRefusesNames(t *testing.T) {
	for _, name := range []string{"", "-a", "a-", "A", "a_b", "a.b", strings.Repeat("a", 64), "ä"} {
		if _, err := New(name, "id", [SecretBytes]byte{}); err == nil {
			t.Errorf("New takes the user %q", name)
		}
		if _, err := New("user", name, [SecretBytes]byte{}); err == nil {
			t.Errorf("New takes the id %q", name)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good, _ := New("user", "id", [SecretBytes]byte{31: 1})
	tests := map[string]string{
		"empty":                      "",
		"prefix alone":               Prefix,
		"other prefix":               "Soma_" + good[len(Prefix):],
		"no secret":                  "soma_user_id_",
		"no user":                    "soma__id_" + good[len("soma_user_id_"):],
		"short secret":               good[:len(good)-1],
		"long secret":                good + "a",
		"upper case":                 strings.ToUpper(good),
		"another way to write it":    good[:len(good)-1] + string(good[len(good)-1]+1),
		"a part more":                good + "_x",
		"a line break in the secret": good[:len(good)-4] + "\n" + good[len(good)-4:],
		"a space behind it":          good + " ",
		"a name too long":            "soma_" + strings.Repeat("a", 64) + "_id_" + good[len("soma_user_id_"):],
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			if got, err := Parse(text); err == nil {
				t.Errorf("Parse(%q) = %v", text, got)
			} else if text != "" && len(text) > 20 && strings.Contains(err.Error(), text) {
				t.Errorf("the error has the token in it: %v", err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	good, _ := New("user", "id", [SecretBytes]byte{7})
	f.Add(good)
	f.Add("soma_a_b_c")
	f.Add("soma____")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse(text)
		if err != nil {
			return
		}
		// Whatever is accepted is written in the one way.
		if len(text) > MaxLength || !strings.HasPrefix(text, Prefix+got.User+"_"+got.ID+"_") || strings.Count(text, "_") != 3 {
			t.Errorf("Parse(%q) = %v", text, got)
		}
	})
}

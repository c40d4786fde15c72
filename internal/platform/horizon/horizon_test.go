package horizon

import "testing"

func TestReached(t *testing.T) {
	tests := map[string]struct {
		version, given string
		want, wantErr  bool
	}{
		"the same":          {version: "10", given: "10", want: true},
		"a newer one":       {version: "10", given: "9", want: true},
		"not yet":           {version: "9", given: "10"},
		"nothing was seen":  {given: "10"},
		"nothing is asked":  {version: "10", want: true},
		"what is no number": {version: "x", given: "10", wantErr: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Reached(tc.version, tc.given)
			if got != tc.want || (err != nil) != tc.wantErr {
				t.Errorf("got %t, %v", got, err)
			}
		})
	}
}

func TestNewer(t *testing.T) {
	for name, tc := range map[string][3]string{
		"the first": {"10", "9", "10"}, "the second": {"9", "10", "10"}, "only one": {"", "9", "9"}, "only the first": {"9", "", "9"},
	} {
		if got := Newer(tc[0], tc[1]); got != tc[2] {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

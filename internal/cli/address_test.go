package cli

import (
	"strings"
	"testing"
)

func TestParsePlace(t *testing.T) {
	tests := map[string]struct {
		// want is the address, and project that in which it lies; within is how a grant has it.
		want, project, within string
		wantError             string
	}{
		"job/train":                          {want: "job:train", project: "vision", within: "job:train"},
		"jobs/train":                         {want: "job:train", project: "vision", within: "job:train"},
		"job":                                {want: "job:", project: "vision", within: "job:"},
		"job:train":                          {want: "job:train", project: "vision", within: "job:train"},
		"job://local/acme/speech/train":      {want: "job://local/acme/speech/train", project: "speech", within: "job:train"},
		"project/speech":                     {want: "project:", project: "speech", within: "project:"},
		"project":                            {want: "project:", project: "vision", within: "project:"},
		"storage/data/raw":                   {want: "storage:data/raw", project: "vision", within: "storage:data/raw"},
		"storage://east/acme/speech/data":    {want: "storage://east/acme/speech/data", project: "speech", within: "storage://east/acme/speech/data"},
		"cluster/east":                       {want: "cluster://east", project: "vision"},
		"clusters":                           {want: "cluster://", project: "vision"},
		"user://bob":                         {want: "user://bob", project: "vision"},
		"job://local/acme":                   {want: "job://local/acme", project: "vision"},
		"train":                              {wantError: "is no address"},
		"job/":                               {wantError: "a name is missing"},
		"user:bob":                           {wantError: "lies in no project"},
		"thing:x":                            {wantError: "no scheme"},
		"job/../x":                           {wantError: "'..'"},
		"job://local/acme/vision/%2e%2e/etc": {wantError: "character"},
	}
	for text, test := range tests {
		t.Run(text, func(t *testing.T) {
			got, err := parsePlace(text, "vision")
			if test.wantError != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantError) {
					t.Fatalf("want an error with %q, got %v", test.wantError, err)
				}
				return
			}
			within, _ := got.within()
			if err != nil || string(got.uri) != test.want || got.project != test.project || string(within) != test.within {
				t.Errorf("got %+v, within %q, %v", got, within, err)
			}
		})
	}
}

func TestIsAddress(t *testing.T) {
	for text, want := range map[string]bool{
		"job/train": true, "job:train": true, "project:": true, "job://local/acme": true, "user://bob": true, "storage/data": true,
		"bob": false, "group:ml": false, "role:auditors": false, "user:bob": false, "job": false, "bob.read.job.train": false, "a/b": false,
	} {
		if got := isAddress(text); got != want {
			t.Errorf("isAddress(%q) = %t", text, got)
		}
	}
}

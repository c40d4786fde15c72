package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func lookup(name string) (string, bool) {
	if name == "HOME_TOWN" {
		return "Delft", true
	}
	return "", false
}

func TestParseEnv(t *testing.T) {
	tests := map[string]struct {
		want      v1alpha1.EnvVar
		wantError string
	}{
		"A=1":            {want: v1alpha1.EnvVar{Name: "A", Value: "1"}},
		"A=":             {want: v1alpha1.EnvVar{Name: "A"}},
		"A=b=c":          {want: v1alpha1.EnvVar{Name: "A", Value: "b=c"}},
		"HOME_TOWN":      {want: v1alpha1.EnvVar{Name: "HOME_TOWN", Value: "Delft"}},
		"UNSET":          {wantError: "UNSET is not set in your environment"},
		"T=secret:hf/it": {want: v1alpha1.EnvVar{Name: "T", Secret: &v1alpha1.SecretKey{Name: "hf", Key: "it"}}},
		"T=secret:hf":    {wantError: "does not name a secret's key"},
		"T=secret:/key":  {wantError: "does not name a secret's key"},
		"=1":             {wantError: "is not a variable"},
		"":               {wantError: "is not a variable"},
	}
	for text, tt := range tests {
		t.Run(text, func(t *testing.T) {
			got, err := parseEnv(text, lookup)
			checkError(t, err, tt.wantError)
			if diff := cmp.Diff(tt.want, got); err == nil && diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseEnvFile(t *testing.T) {
	got, err := parseEnvFile(strings.NewReader("# hyper-parameters\n\nLR=0.1\n  HOME_TOWN\n"), "a.env", lookup)
	want := []v1alpha1.EnvVar{{Name: "LR", Value: "0.1"}, {Name: "HOME_TOWN", Value: "Delft"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, %s", err, diff)
	}
	_, err = parseEnvFile(strings.NewReader("LR=0.1\nUNSET\n"), "a.env", lookup)
	checkError(t, err, "a.env:2: UNSET is not set")
	_, err = parseEnvFile(strings.NewReader(strings.Repeat("A=1\n", maxEnvFile/4+1)), "a.env", lookup)
	checkError(t, err, "a.env is larger than 256 KiB")
}

func TestParseVolume(t *testing.T) {
	tests := map[string]struct {
		want      v1alpha1.Volume
		wantError string
	}{
		"secret:hf:/keys":          {want: v1alpha1.Volume{MountPath: "/keys", Secret: &v1alpha1.SecretVolume{Name: "hf"}}},
		"secret:hf/token:/run/tok": {want: v1alpha1.Volume{MountPath: "/run/tok", Secret: &v1alpha1.SecretVolume{Name: "hf", Key: "token"}}},
		"scratch:5Gi:/data":        {want: v1alpha1.Volume{MountPath: "/data", Scratch: &v1alpha1.ScratchVolume{Size: resource.MustParse("5Gi")}}},
		"scratch:big:/data":        {wantError: `"big" is not a size`},
		"disk:a:/data":             {wantError: `no kind of volume "disk"`},
		"secret:hf":                {wantError: "is not a volume"},
		"/data":                    {wantError: "is not a volume"},
		"scratch:1Gi:":             {wantError: "is not a volume"},
	}
	for text, tt := range tests {
		t.Run(text, func(t *testing.T) {
			got, err := parseVolume(text)
			checkError(t, err, tt.wantError)
			if diff := cmp.Diff(tt.want, got); err == nil && diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseGPU(t *testing.T) {
	tests := map[string]struct {
		want    *v1alpha1.GPUs
		wantBad bool
	}{
		"1":          {want: &v1alpha1.GPUs{Count: 1}},
		"8:A100":     {want: &v1alpha1.GPUs{Count: 8, Model: "A100"}},
		"0":          {},
		"0:A100":     {wantBad: true},
		"1:":         {wantBad: true},
		"-1":         {wantBad: true},
		"half":       {wantBad: true},
		"9999999999": {wantBad: true},
	}
	for text, tt := range tests {
		t.Run(text, func(t *testing.T) {
			got, err := parseGPU(text)
			if (err != nil) != tt.wantBad {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNameStem(t *testing.T) {
	for image, want := range map[string]string{
		"pytorch":                               "pytorch",
		"pytorch/pytorch:2.9.0-cuda13":          "pytorch",
		"registry:5000/a/My_Model@sha256:abcd":  "my-model",
		"3d-net:1":                              "d-net",
		"123":                                   "job",
		"x/" + strings.Repeat("a", 27) + "-bcd": strings.Repeat("a", 27),
	} {
		if got := nameStem(image); got != want {
			t.Errorf("nameStem(%q) = %q, want %q", image, got, want)
		}
	}
	for name, want := range map[string]string{"train-x7k2p": "train", "train": "train", "train-again": "train-again"} {
		if got := cloneStem(name); got != want {
			t.Errorf("cloneStem(%q) = %q, want %q", name, got, want)
		}
	}
	if name := generateName(nameStem("pytorch")); len(name) > 40 || cloneStem(name) != "pytorch" {
		t.Errorf("generated name %q", name)
	}
}

// checkError wants an error that contains the text, or none where it is empty.
func checkError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("unexpected error: %v", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("error %v, want one with %q", err, want)
	}
}

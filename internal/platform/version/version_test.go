package version

import (
	"runtime/debug"
	"testing"
)

func TestResolve(t *testing.T) {
	recorded := &debug.BuildInfo{
		GoVersion: "go1.26.8",
		Main:      debug.Module{Version: "v0.3.0"},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"},
			{Key: "vcs.modified", Value: "true"},
		},
	}
	tests := map[string]struct {
		version, commit string
		build           *debug.BuildInfo
		want            Info
		wantLine        string
	}{
		"told by the linker": {
			version: "v1.0.0", commit: "abc", build: recorded,
			want: Info{Version: "v1.0.0", Commit: "abc", Go: "go1.26.8"}, wantLine: "v1.0.0 (abc)",
		},
		"recorded by Go": {
			build: recorded,
			want:  Info{Version: "v0.3.0", Commit: "0123456789ab-dirty", Go: "go1.26.8"}, wantLine: "v0.3.0 (0123456789ab-dirty)",
		},
		"plain go build": {
			build: &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "(devel)"}},
			want:  Info{Version: "devel", Go: "go1.26.8"}, wantLine: "devel",
		},
		"nothing known": {want: Info{Version: "devel"}, wantLine: "devel"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := resolve(test.version, test.commit, test.build)
			if got != test.want {
				t.Errorf("resolve() = %+v, want %+v", got, test.want)
			}
			if line := got.String(); line != test.wantLine {
				t.Errorf("String() = %q, want %q", line, test.wantLine)
			}
		})
	}
}

// Package version says which build of Soma this program is.
package version

import "runtime/debug"

// Set by the linker (-X) when a release or an image is built.
var (
	version string
	commit  string
)

// Version and Commit are those of Get, for who needs one of them alone.
var (
	Version = Get().Version
	Commit  = Get().Commit
)

// commitLength is how much of a commit's hash is shown: enough to be unique in any repository of this size.
const commitLength = 12

// Info names a build.
type Info struct {
	// Version is the tag, or what `git describe` made of it; "devel" for a plain `go build`.
	Version string `json:"version"`
	// Commit is the beginning of the hash of the source's commit, with "-dirty" after it when the source had changes on top.
	// Empty when the build does not know it.
	Commit string `json:"commit,omitempty"`
	// Go is the version of Go that compiled the program.
	Go string `json:"go"`
}

// Get returns the build of the running program.
func Get() Info {
	build, _ := debug.ReadBuildInfo()
	return resolve(version, commit, build)
}

// String is the build on one line.
func (i Info) String() string {
	if i.Commit == "" {
		return i.Version
	}
	return i.Version + " (" + i.Commit + ")"
}

// resolve prefers what the linker was told and falls back to what Go itself recorded; build may be nil.
func resolve(version, commit string, build *debug.BuildInfo) Info {
	info := Info{Version: version, Commit: commit}
	if build != nil {
		info.Go = build.GoVersion
		if info.Version == "" && build.Main.Version != "(devel)" {
			info.Version = build.Main.Version
		}
		if info.Commit == "" {
			info.Commit = vcsCommit(build.Settings)
		}
	}
	if info.Version == "" {
		info.Version = "devel"
	}
	return info
}

func vcsCommit(settings []debug.BuildSetting) string {
	var revision, dirty string
	for _, setting := range settings {
		switch setting.Key {
		case "vcs.revision":
			revision = setting.Value[:min(len(setting.Value), commitLength)]
		case "vcs.modified":
			if setting.Value == "true" {
				dirty = "-dirty"
			}
		}
	}
	if revision == "" {
		return ""
	}
	return revision + dirty
}

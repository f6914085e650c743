package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/trainer"
)

func newVersionCommand(env *environment) *cobra.Command {
	output := newFormat("text", "json")
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this build",
		Args:  args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			return runVersion(env, output)
		},
	}
	output.addFlag(c.Flags())
	return c
}

// runVersion is the verb version.
func runVersion(env *environment, output format) error {
	info, _ := debug.ReadBuildInfo()
	v := versionOf(info)
	if output.name == "json" {
		return json.NewEncoder(env.out).Encode(v)
	}
	_, err := fmt.Fprintln(env.out, v)
	return err
}

// A version says what a program was built from.
type version struct {
	Version   string `json:"version"`  // git's tag, or Go's name for the commit; (devel) if none is recorded
	Commit    string `json:"commit"`   // empty if the build records none
	Date      string `json:"date"`     // of the commit, RFC 3339 in UTC
	Modified  bool   `json:"modified"` // there were changes that the commit does not have
	Go        string `json:"go"`
	OS        string `json:"os"`
	Arch      string `json:"arch"`
	Semantics int    `json:"semantics"`
	Format    int    `json:"checkpoint_format"`
}

// versionOf reads what the go command has recorded in a program, which is nil if it
// has recorded nothing. go build records the commit of a checkout; go run does not,
// unless it is given -buildvcs=true.
func versionOf(info *debug.BuildInfo) version {
	v := version{
		Version: "(devel)", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Semantics: trainer.SemanticsVersion, Format: trainer.FormatVersion,
	}
	if info == nil {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.time":
			v.Date = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// build names the program in results: its version, and its commit where that is not in it.
func (v version) build() string {
	out := v.Version
	if short := v.Commit[:min(12, len(v.Commit))]; short != "" && !strings.Contains(out, short) {
		out += " " + short
	}
	if v.Modified && !strings.Contains(out, "+dirty") {
		out += "+dirty"
	}
	return out
}

// String is what sweep version prints: two lines, the second about the commit.
func (v version) String() string {
	commit := "commit not recorded: go run records none, " +
		"nor does a build outside of a git checkout or with -buildvcs=false"
	if v.Commit != "" {
		commit = "commit " + v.Commit + " of " + v.Date
	}
	if v.Modified {
		commit += ", with changes that are not committed"
	}
	return fmt.Sprintf("sweep %s (%s, %s/%s), training semantics %d, checkpoint format %d\n%s",
		v.Version, v.Go, v.OS, v.Arch, v.Semantics, v.Format, commit)
}

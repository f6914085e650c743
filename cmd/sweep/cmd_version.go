package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/trainer"
)

func (a *environment) versionCmd() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this build",
		Args:  args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			v := buildVersion()
			switch output {
			case "text":
				fmt.Fprintf(a.out, "sweep %s (%s, %s/%s), training semantics %d, checkpoint format %d\n",
					v.Version, v.Go, v.OS, v.Arch, v.Semantics, v.Format)
				return nil
			case "json":
				return json.NewEncoder(a.out).Encode(v)
			}
			return inputError{fmt.Errorf("-o %s: want text or json", output)}
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

type version struct {
	Version   string `json:"version"`
	Go        string `json:"go"`
	OS        string `json:"os"`
	Arch      string `json:"arch"`
	Semantics int    `json:"semantics"`
	Format    int    `json:"checkpoint_format"`
}

func buildVersion() version {
	v := version{Version: "(devel)", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Semantics: trainer.SemanticsVersion, Format: trainer.FormatVersion}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && v.Version == "(devel)" {
			v.Version = s.Value[:min(12, len(s.Value))]
		}
	}
	return v
}

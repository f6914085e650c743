package main

import (
	"encoding/json"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	stamped := &debug.BuildInfo{
		Main: debug.Module{Version: "v0.1.0"},
		Settings: []debug.BuildSetting{
			{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "0123abcd"},
			{Key: "vcs.time", Value: "2026-11-26T12:00:00Z"}, {Key: "vcs.modified", Value: "false"},
		},
	}
	changed := &debug.BuildInfo{
		Main:     debug.Module{Version: "v0.1.0+dirty"},
		Settings: append(stamped.Settings[:3:3], debug.BuildSetting{Key: "vcs.modified", Value: "true"}),
	}
	first := " (" + runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH + "), training semantics "
	for name, test := range map[string]struct {
		info          *debug.BuildInfo
		version, last string
	}{
		"stamped":  {stamped, "v0.1.0", "commit 0123abcd of 2026-11-26T12:00:00Z"},
		"changed":  {changed, "v0.1.0+dirty", "commit 0123abcd of 2026-11-26T12:00:00Z, with changes that are not committed"},
		"go run":   {&debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "(devel)", "commit not recorded: "},
		"no stamp": {nil, "(devel)", "commit not recorded: "},
	} {
		lines := strings.Split(versionOf(test.info).String(), "\n")
		if len(lines) != 2 || !strings.HasPrefix(lines[0], "sweep "+test.version+first) ||
			!strings.HasPrefix(lines[1], test.last) {
			t.Errorf("%s: %q", name, lines)
		}
	}
	pseudo := *stamped
	pseudo.Main.Version = "v0.1.1-0.20261126120000-0123abcd4567"
	for name, test := range map[string]struct {
		info *debug.BuildInfo
		want string
	}{
		"stamped":        {stamped, "v0.1.0 0123abcd"},
		"changed":        {changed, "v0.1.0+dirty 0123abcd"},
		"commit in name": {&pseudo, "v0.1.1-0.20261126120000-0123abcd4567"},
		"no stamp":       {nil, "(devel)"},
	} {
		if got := versionOf(test.info).build(); got != test.want {
			t.Errorf("%s: build %q, want %q", name, got, test.want)
		}
	}
	text, err := json.Marshal(versionOf(changed))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"version":"v0.1.0+dirty"`, `"commit":"0123abcd"`, `"date":"2026-11-26T12:00:00Z"`, `"modified":true`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
}

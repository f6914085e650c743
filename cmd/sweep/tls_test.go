package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// The file that sweep up names connects the verbs from anywhere, and a program without it learns what to do.
func TestKeysOfTheServer(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	store := filepath.Join(dir, "store")
	profile := filepath.Join(dir, "temporal.toml")
	up, info := startServer(t, dir, "--slots", "1", "--no-report")
	told := "other programs: export TEMPORAL_CONFIG_FILE=" + profile + "\n"
	waitFor(t, told, func() bool { return strings.Contains(up.err.String(), told) })
	quick := writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 50"))

	exported := variables{"TEMPORAL_CONFIG_FILE=" + profile}
	table := exported.run(t, elsewhere, "submit", quick, "--wait", "--store", store)
	if strings.Count(table, "completed") != 4 {
		t.Errorf("submit --wait:\n%s", table)
	}
	if got := exported.run(t, dir, "run", quick); got != table {
		t.Errorf("run:\n%s\nwant:\n%s", got, table)
	}
	_, port, err := net.SplitHostPort(info.HostPort)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{info.HostPort, "localhost:" + port} {
		mustRun(t, dir, "submit", quick, "--address", address)
		variables{"TEMPORAL_ADDRESS=" + address}.run(t, dir, "submit", quick)
	}
	for _, v := range []variables{nil, {"TEMPORAL_TLS=false"}, {"TEMPORAL_TLS=true"}} {
		at := elsewhere
		if v != nil {
			at = dir // where settings of the user's own go before the keys
		}
		p := v.start(t, at, "submit", quick, "--store", store, "--address", info.HostPort)
		if status := p.exitStatus(t); status != exitError {
			t.Errorf("without the keys, %v: status %d", v, status)
		}
		for _, want := range []string{info.HostPort, "--dir", "export TEMPORAL_CONFIG_FILE="} {
			if !strings.Contains(p.err.String(), want) {
				t.Errorf("without the keys, %v: no %q in:\n%s", v, want, p.err.String())
			}
		}
	}
	up.terminate(t)

	// The file stays, and says no more than which state directory is meant.
	p := exported.start(t, dir, "submit", quick)
	if status := p.exitStatus(t); status != exitError || !strings.Contains(p.err.String(), "there is no Temporal server") {
		t.Errorf("submit without a server: status %d\n%s", status, p.err.String())
	}
	list := exported.start(t, dir, "list")
	if status := list.exitStatus(t); status != exitOK || strings.Contains(list.err.String(), "note") {
		t.Errorf("list without a server: status %d\n%s", status, list.err.String())
	}
	if got := exported.run(t, dir, "run", quick, "--no-ui"); got != table {
		t.Errorf("run without a server:\n%s", got)
	}
}

package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/deploy/local"
)

// A worker that sees nothing of the server's machine but the store and the folder of keys trains for it.
func TestWorkerOfAnotherMachine(t *testing.T) {
	t.Parallel()
	const address = "127.0.0.2"
	if l, err := net.Listen("tcp", address+":0"); err != nil {
		t.Skip(err)
	} else {
		l.Close()
	}
	dir, shared := t.TempDir(), t.TempDir()
	store, keys := "SWEEP_STORE="+filepath.Join(shared, "store"), filepath.Join(shared, "keys")
	grid := writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 50"))
	up, info := startServer(t, dir, store, "--no-train", "--listen", address, "--client-keys", keys)
	if host, _, err := net.SplitHostPort(info.HostPort); err != nil || host != address {
		t.Errorf("server at %s, %v", info.HostPort, err)
	}
	told := "export TEMPORAL_CONFIG_FILE=" + filepath.Join(keys, "temporal.toml") + "\n"
	waitFor(t, told, func() bool { return strings.Contains(up.err.String(), told) })
	if now, _, err := local.Running(dir); err != nil || !strings.HasPrefix(now.ReportURL, "http://127.0.0.1:") {
		t.Errorf("report at %s, %v", now.ReportURL, err)
	}

	there := variables{store, "TEMPORAL_CONFIG_FILE=" + filepath.Join(keys, "temporal.toml")}
	worker := there.start(t, t.TempDir(), "worker", "--slots", "1")
	table := there.run(t, t.TempDir(), "submit", grid, "--wait")
	if strings.Count(table, "completed") != 4 {
		t.Errorf("submit --wait:\n%s", table)
	}
	if got := mustRun(t, dir, store, "results", "small"); got != table {
		t.Errorf("results on the server's machine:\n%s\nwant:\n%s", got, table)
	}
	worker.terminate(t)

	stranger := variables{store}.start(t, t.TempDir(), "worker", "--address", info.HostPort)
	if status := stranger.exitStatus(t); status != exitError || !strings.Contains(stranger.err.String(), "keys") {
		t.Errorf("a worker without the keys: status %d\n%s", status, stranger.err.String())
	}
	up.terminate(t)
}

// Where a server listens is said with an address that other machines know, and with a folder for the keys.
func TestListenFlags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--listen", "127.0.0.2"}, "--client-keys"},
		{[]string{"--client-keys", "keys"}, "--listen"},
		{[]string{"--listen", "localhost", "--client-keys", "keys"}, "127.0.0.1"},
	} {
		p := startProgram(t, t.TempDir(), append([]string{"up", "--no-train"}, c.flags...)...)
		if status := p.exitStatus(t); status != exitBadInput || !strings.Contains(p.err.String(), c.want) {
			t.Errorf("%v: status %d\n%s", c.flags, status, p.err.String())
		}
	}
}

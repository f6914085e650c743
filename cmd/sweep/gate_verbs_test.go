//go:build !noserver

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/plan"
)

// All verbs work on a real server behind TLS that wants an API key, in a namespace that others made. The worker goes on
// when its key is replaced in the configuration file. What a key may not do is left out, or said in a note. No key is
// shown or stored.
func TestServerOfOthers(t *testing.T) {
	t.Parallel()
	dir, away := t.TempDir(), t.TempDir()
	_, info := startServer(t, dir, "--slots", "1", "--no-report")
	makeNamespace(t, info, "research")
	p := secretsOf("first key", "second key")
	first, second := p["first key"], p["second key"]
	g := startGate(t, info, newAuthority(t), nil, first)

	profile := filepath.Join(t.TempDir(), "temporal.toml")
	configure := func(key string) {
		t.Helper()
		text := "[profile.lab]\naddress = \"" + g.address + "\"\nnamespace = \"research\"\napi_key = \"" + key +
			"\"\n[profile.lab.tls]\nserver_ca_cert_path = \"" + g.authority.file + "\"\n"
		if err := os.WriteFile(profile+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(profile+".new", profile); err != nil {
			t.Fatal(err)
		}
	}
	configure(first)
	store := "SWEEP_STORE=" + filepath.Join(away, "store")
	byFile := variables{store, "TEMPORAL_CONFIG_FILE=" + profile, "TEMPORAL_PROFILE=lab"}
	byKey := func(key string) variables {
		return variables{store, "TEMPORAL_ADDRESS=" + g.address, "TEMPORAL_NAMESPACE=research", "TEMPORAL_API_KEY=" + key,
			"TEMPORAL_TLS_SERVER_CA_CERT_PATH=" + g.authority.file}
	}
	var all []*program
	ends := func(v variables, args ...string) *program {
		t.Helper()
		s := v.start(t, away, args...)
		all = append(all, s)
		if status := s.exitStatus(t); status != exitOK {
			t.Fatalf("%v: status %d\n%s", args, status, s.err.String())
		}
		return s
	}
	state := func(v variables, id string) (s sweepState) {
		t.Helper()
		if err := json.Unmarshal(ends(v, "status", id, "-o", "json").out.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}

	v := byKey(first)
	grid := changed(t, smallGrid, "steps: 1500", "steps: 300", "dict_size: 512", "dict_size: 128")
	submitted := ends(v, "submit", writeGrid(t, grid))
	id := strings.TrimSpace(submitted.out.String())
	if want := "search-attribute create --namespace research --name Sweep"; !strings.Contains(
		submitted.err.String(), want) {
		t.Errorf("submit: no %q:\n%s", want, submitted.err.String())
	}
	worker := byFile.start(t, away, "worker", "--slots", "2")
	all = append(all, worker)
	waitFor(t, "a run in training", func() bool { return g.counted()["RecordActivityTaskHeartbeat"] > 0 })
	ends(v, "pause", id)
	ends(v, "set", id, "max_concurrent=3")
	if s := state(v, id); s.State != plan.Paused {
		t.Errorf("paused: %s", s.State)
	}
	if list := ends(v, "list").out.String(); !strings.Contains(list, "paused") {
		t.Errorf("list:\n%s", list)
	}

	// The first key ends, and the worker is refused until there is another one in its file.
	asked := v.start(t, away, "watch", id)
	waitFor(t, "an answer of the worker", func() bool { return g.counted()["RespondQueryTaskCompleted"] > 2 })
	g.set(func(keys, _ map[string]bool) { delete(keys, first); keys[second] = true })
	status := asked.exitStatus(t)
	if said := asked.err.String(); status != exitError || !strings.Contains(said, "Request unauthorized: …") {
		t.Errorf("watch with a key that ends: status %d\n%s", status, said)
	}
	all = append(all, asked)
	configure(second)
	waitFor(t, "the second key of the worker", func() bool { return g.broughtBy(second) > 0 })
	v = byKey(second)
	ends(v, "resume", id)
	ends(v, "watch", id)
	wider := writeGrid(t, changed(t, grid, "k: [2, 4]", "k: [2, 4, 8]"))
	if table := ends(v, "extend", id, wider, "--wait").out.String(); strings.Count(table, "completed") != 6 {
		t.Errorf("extend --wait:\n%s", table)
	}

	// What the rights of a key may not include: the sweep needs none of it.
	g.set(func(_, denied map[string]bool) {
		for _, method := range []string{"ListSearchAttributes", "UpdateTaskQueueConfig", "DescribeTaskQueue",
			"CountWorkflowExecutions", "ListWorkflowExecutions", "RecordWorkerHeartbeat", "ShutdownWorker"} {
			denied[method] = true
		}
	})
	short := writeGrid(t, changed(t, smallGrid, "name: small", "name: short", "steps: 1500", "steps: 50"))
	run := ends(v, "submit", short, "--wait")
	if strings.Count(run.out.String(), "completed") != 4 ||
		!strings.Contains(run.err.String(), "gets no search attributes") {
		t.Errorf("submit --wait with few rights:\n%s%s", run.out.String(), run.err.String())
	}
	other := strings.TrimSpace(ends(v, "submit", writeGrid(t, changed(t, smallGrid, "name: small", "name: other",
		"steps: 1500", "steps: 30000"))).out.String())
	ends(v, "cancel", other)
	if s := state(v, other); s.State != plan.Canceled {
		t.Errorf("canceled: %s", s.State)
	}
	for _, verb := range [][]string{{"list"}, {"results", id}, {"gc", "--dry-run"}, {"retry", id}} {
		ends(v, verb...)
	}
	worker.terminate(t)
	g.set(func(_, denied map[string]bool) { denied["DescribeNamespace"] = true })
	if said := ends(v, "status", id).err.String(); strings.Contains(said, "note:") {
		t.Errorf("status with a key that may not look at the namespace:\n%s", said)
	}
	p.said(t, all...)
	p.files(t, []string{dir, away}, []string{id}, nil)
}

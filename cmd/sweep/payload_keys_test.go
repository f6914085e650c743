//go:build !noserver

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/plan"
)

// plantedGrid has what is to be secret: a data path and swept settings, and a cell that fails and says why.
const plantedGrid = `
name: quiet
data: {source: %s}
parameters: {lr: [0.00271828, 1e37]}
train: {k: 2, dict_size: 512, steps: 3000, batch_size: 256, dead_feature_threshold: 10000}
run: {checkpoint: {every: 1s}}
`

// plantedData writes a shard into a folder with a telling name, and returns the folder.
func plantedData(t *testing.T) string {
	t.Helper()
	folder, _ := writeShard(t, 2000, 32, 1)
	named := filepath.Join(t.TempDir(), "planted-data")
	if err := os.Rename(folder, named); err != nil {
		t.Fatal(err)
	}
	return named
}

// keyFile writes a file of keys, each of one byte again and again.
func keyFile(t *testing.T, of ...byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "payload.keys")
	var lines strings.Builder
	for _, b := range of {
		lines.WriteString(strings.Repeat(fmt.Sprintf("%02x", b), 32) + "\n")
	}
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// databaseOf reads the database of the embedded server, with its log.
func databaseOf(t *testing.T, dir string) (all []byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "temporal.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal("no database in", dir, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

// With keys the server's database holds nothing of what a sweep is about: neither the data, nor settings, nor texts of
// errors. The sweep outlives the death of its process, and a change of keys, all the same. Without keys the same texts
// are found, so that this test looks in the right place.
func TestEncryptedSweep(t *testing.T) {
	t.Parallel()
	grid := writeGrid(t, fmt.Sprintf(plantedGrid, plantedData(t)))
	planted := []string{"planted-data", "0.00271828", "1e+37", "1e37"}

	open := t.TempDir()
	startProgram(t, open, "run", grid, "--no-ui", "--slots", "2").exitStatus(t)
	for _, text := range planted[:2] {
		if !bytes.Contains(databaseOf(t, open), []byte(text)) {
			t.Errorf("without keys the database holds no %q: this test looks in the wrong place", text)
		}
	}

	dir := t.TempDir()
	keys := variables{keysVariable + "=" + keyFile(t, 1)}
	run := keys.start(t, dir, "run", grid, "--no-ui", "--slots", "2")
	waitFor(t, "a checkpoint", func() bool {
		return len(run.done) > 0 || countManifests(t, dir) > 0
	})
	run.Process.Kill()
	run.exitStatus(t)

	// A process without the key says so, and neither starts a worker nor spoils the sweep.
	for name, without := range map[string]variables{
		"no key": nil, "another key": {keysVariable + "=" + keyFile(t, 2)},
	} {
		for _, verb := range [][]string{{"run", grid, "--no-ui"}, {"up", "--no-ui"}} {
			p := without.start(t, dir, verb...)
			if status := p.exitStatus(t); status != exitBadInput || !strings.Contains(p.err.String(), "encrypted with key ") ||
				!strings.Contains(p.err.String(), "--payload-keys") {
				t.Errorf("%s, %v: status %d\n%s", name, verb, status, p.err.String())
			}
		}
	}

	rotated := keyFile(t, 3, 1)
	end := startProgram(t, dir, "run", grid, "--no-ui", "--slots", "2", "--payload-keys", rotated)
	if status := end.exitStatus(t); status != exitError || strings.Count(end.out.String(), "completed") != 1 {
		t.Errorf("after the kill: status %d\n%s%s", status, end.out.String(), end.err.String())
	}
	failure := regexp.MustCompile(`(?m)failed.*$`).FindString(end.out.String())
	t.Log(failure)
	database := databaseOf(t, dir)
	for _, text := range planted {
		if i := bytes.Index(database, []byte(text)); i >= 0 {
			t.Errorf("the database holds %q: %q", text, database[max(0, i-100):min(len(database), i+100)])
		}
	}
}

// Every verb that asks the server works with the key, and says which one is missing without it.
func TestVerbsWithKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := keyFile(t, 1)
	keys := variables{keysVariable + "=" + file}
	up, info := keys.server(t, dir, "--slots", "1")
	long := writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 1000000", "name: small", "name: long"))
	id := strings.TrimSpace(keys.run(t, dir, "submit", long))
	waitFor(t, "a run in training", func() bool {
		var s sweepState
		if err := json.Unmarshal([]byte(keys.run(t, dir, "status", "long", "-o", "json")), &s); err != nil {
			t.Fatal(err)
		}
		return training(s) > 0
	})

	for name, without := range map[string]variables{
		"no key": nil, "another key": {keysVariable + "=" + keyFile(t, 2)},
	} {
		for _, verb := range [][]string{
			{"status", "long"}, {"watch", "long"}, {"worker", "--address", info.HostPort},
		} {
			p := without.start(t, dir, verb...)
			got := p.exitStatus(t)
			if all := p.out.String() + p.err.String(); got == exitOK || !strings.Contains(all, "encrypted with key ") {
				t.Errorf("%s, %v: status %d\n%s", name, verb, got, all)
			}
		}
	}
	list := startProgram(t, dir, "list")
	if status := list.exitStatus(t); status != exitOK || !strings.Contains(list.out.String(), string(plan.Unknown)) ||
		!strings.Contains(list.err.String(), "encrypted with key ") {
		t.Errorf("list without the key: status %d\n%s%s", status, list.out.String(), list.err.String())
	}
	keys.run(t, dir, "pause", "long")
	keys.run(t, dir, "resume", "long")
	keys.run(t, dir, "cancel", id)
	if s := keys.run(t, dir, "status", "long"); !strings.Contains(s, string(plan.Canceled)) {
		t.Errorf("after cancel:\n%s", s)
	}
	up.terminate(t)
}

// A file of keys that cannot be used ends every verb at its start.
func TestBadKeyFiles(t *testing.T) {
	t.Parallel()
	grid := writeGrid(t, demoGrid)
	none := filepath.Join(t.TempDir(), "none")
	for _, verb := range [][]string{
		{"run", grid, "--no-ui"}, {"up", "--no-ui"}, {"worker", "--address", "127.0.0.1:1"}, {"submit", grid, "--address",
			"127.0.0.1:1"},
	} {
		p := startProgram(t, t.TempDir(), append(verb, "--payload-keys", none)...)
		if status := p.exitStatus(t); status != exitBadInput || !strings.Contains(p.err.String(), none) {
			t.Errorf("%v: status %d\n%s", verb, status, p.err.String())
		}
	}
}

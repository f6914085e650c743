package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/sweep/protocol"
)

var record = flag.String("record", "",
	"write what this `program` prints of the store of version 0.1.0 as the golden outputs")

// store010 is a store that version 0.1.0 wrote; its README.md says how.
const store010 = "testdata/store-0.1.0"

// grid010 is the file of a grid that was trained into that store.
func grid010(name string) string { return filepath.Join(store010, "grids", name+".yaml") }

// Later versions print of a store of version 0.1.0 what that version printed, or what was recorded since.
func TestStoreOf010(t *testing.T) {
	dir := copyStore(t)
	type output struct {
		file string
		args []string
	}
	outputs := []output{
		{"list.txt", []string{"list"}},
		{"list.json", []string{"list", "-o", "json"}},
		{"gc.txt", []string{"gc", "--dry-run"}},
		{"gc.json", []string{"gc", "--dry-run", "-o", "json"}},
		{"trunks-all.txt", []string{"results", "trunks", "--all-columns"}},
		{"trunks-sorted.csv", []string{"results", "trunks", "--sort", "-nmse", "-o", "csv"}},
	}
	for _, name := range []string{"trunks", "alone", "failed", "canceled", "interrupted"} {
		outputs = append(outputs,
			output{name + "-status.txt", []string{"status", name, "--all"}},
			output{name + "-status.json", []string{"status", name, "-o", "json"}},
		)
		for format, extension := range map[string]string{"table": "txt", "csv": "csv", "json": "json", "md": "md"} {
			outputs = append(outputs, output{name + "." + extension, []string{"results", name, "-o", format}})
		}
	}
	for _, name := range []string{"trunks-longer", "failed", "interrupted"} {
		outputs = append(outputs, output{name + "-plan.json", []string{"plan", grid010(name), "-o", "json"}})
	}
	for _, o := range outputs {
		got := outputOf(t, dir, o.args...)
		if o.args[0] == "plan" {
			got = withoutMachine(got)
		}
		file := filepath.Join(store010, "outputs", o.file)
		if *record != "" {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if line, a, b := firstDifference(got, want); line > 0 {
			t.Errorf("sweep %s: line %d is\n%s\nversion 0.1.0 printed\n%s", strings.Join(o.args, " "), line, a, b)
		}
	}
}

// A sweep that version 0.1.0 left in the middle goes on from its checkpoints and ends
// with the results and models of one that is trained from the first step.
func TestGoOnFrom010(t *testing.T) {
	goOn := func(dir string) [][]string {
		up, _ := startServer(t, dir, strings.Fields("--backend cpu --slots 1")...)
		out := mustRun(t, dir, strings.Fields("retry interrupted --backend cpu --wait -o csv")...)
		up.terminate(t)
		if n := strings.Count(out, "completed"); n != 3 {
			t.Errorf("%d runs are completed, want 3:\n%s", n, out)
		}
		return withoutTime(t, []byte(out))
	}
	t.Setenv("SWEEP_CPU", "portable")
	dir, fromStart := copyStore(t), copyStore(t)
	if err := os.RemoveAll(filepath.Join(fromStart, "store", "stages")); err != nil {
		t.Fatal(err)
	}
	got, want := goOn(dir), goOn(fromStart)
	// For how many runs version 0.1.0 trained a step is not known.
	for _, column := range []string{"steps_trained", "steps_shared"} {
		unknown, known := blank(t, got, column), blank(t, want, column)
		if n := len(got) - 1; !slices.Equal(unknown, make([]string, n)) || slices.Contains(known, "") {
			t.Errorf("%s: %q of runs that go on, %q of runs from the first step", column, unknown, known)
		}
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("the results are\n%s\ntrained from the first step they are\n%s", got, want)
	}
	log, err := os.ReadFile(filepath.Join(dir, "worker.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range checkpointed(t) {
		if !bytes.Contains(log, []byte("from="+step+" ")) {
			t.Errorf("no run went on from its checkpoint of step %s:\n%s", step, log)
		}
	}
	if got, want := readModels(t, dir), readModels(t, fromStart); len(got) < 3 || !maps.Equal(got, want) {
		t.Errorf("of %d models some differ from those that are trained from the first step", len(got))
	}
	if runtime.GOARCH != "amd64" {
		t.Skip("the store's bits are those of amd64: elsewhere the compiler fuses products and sums")
	}
	// Version 0.1.0 trained the same bits, and measured some of them by other definitions.
	text, err := os.ReadFile(filepath.Join(store010, "outputs", "undisturbed.csv"))
	if err != nil {
		t.Fatal(err)
	}
	then := withoutTime(t, text)
	for _, column := range strings.Fields("cell l0 dead_latents first_dead_step silent_latents tokens data") {
		now, was := slices.Index(got[0], column), slices.Index(then[0], column)
		for i := range then {
			if got[i][now] != then[i][was] {
				t.Errorf("%s of run %d is %s, of version 0.1.0 it was %s", column, i, got[i][now], then[i][was])
			}
		}
	}
	sums, err := os.ReadFile(filepath.Join(store010, "outputs", "undisturbed.sha256"))
	if err != nil {
		t.Fatal(err)
	}
	models := readModels(t, dir)
	if n := bytes.Count(sums, []byte("\n")); n != 3 {
		t.Fatalf("%d sums, want 3", n)
	}
	for line := range strings.Lines(string(sums)) {
		sum, run, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if got := fmt.Sprintf("%x", sha256.Sum256(encoderOf(t, models[run]))); got != sum {
			t.Errorf("the encoder of %s differs from that of version 0.1.0", run)
		}
	}
}

// encoderOf returns the weights and biases of a model's encoder, which come first behind the header. The decoder is
// exported with unit norms now.
func encoderOf(t *testing.T, model string) []byte {
	t.Helper()
	const size = 4 * (32*4 + 32)
	if len(model) < 8 {
		t.Fatalf("a model of %d bytes", len(model))
	}
	from := 8 + binary.LittleEndian.Uint64([]byte(model[:8]))
	if uint64(len(model)) < from+size {
		t.Fatalf("a model of %d bytes, its data begin at %d", len(model), from)
	}
	return []byte(model[from : from+size])
}

// Results that an earlier version measured are not reused: their definitions are others.
func TestOldResultsAreNotReused(t *testing.T) {
	dir := copyStore(t)
	g := grid010("trunks")
	var now struct{ Cells, Reused int }
	if err := json.Unmarshal(outputOf(t, dir, "plan", g, "-o", "json"), &now); err != nil {
		t.Fatal(err)
	}
	if now.Cells == 0 || now.Reused != 0 {
		t.Errorf("%d of %d cells are reused", now.Reused, now.Cells)
	}
	old, err := os.ReadFile(filepath.Join(store010, "outputs", "trunks.csv"))
	if err != nil {
		t.Fatal(err)
	}
	out := mustRun(t, dir, "results", "trunks", "-o", "csv")
	if !strings.Contains(out, string(bytes.Split(old, []byte("\n"))[1][:20])) {
		t.Errorf("the results of version 0.1.0 are not shown any more:\n%s", out)
	}
}

// Whoever submits the grid of a sweep that an earlier version left unfinished learns of that sweep.
func TestOlderSweepIsNamed(t *testing.T) {
	dir := copyStore(t)
	t.Setenv("SWEEP_CPU", "portable")
	p := startProgram(t, dir, strings.Fields("run --backend cpu --no-ui --slots 1 "+grid010("canceled"))...)
	note := regexp.MustCompile(`note: sweep canceled-\w+ of an earlier version has 3 of 3 runs without results.*; ` +
		`sweep cancel canceled-\w+ ends it`)
	waitFor(t, "a note on the older sweep", func() bool { return note.MatchString(p.err.String()) })
}

// The JSON of verbs whose values depend on the machine keeps all keys that it had in
// version 0.1.0.
func TestKeysOf010(t *testing.T) {
	dir := t.TempDir()
	const bench = "bench --activation-dim 8 --dict-size 16 --k 2 --batch-size 16 " +
		"--time 1ms --threads 1 --backend cpu -o json"
	outputs := map[string][]byte{
		"bench":        outputOf(t, dir, strings.Fields(bench)...),
		"data inspect": outputOf(t, dir, "data", "inspect", "../../trainer/data/testdata/minilm-l3", "-o", "json"),
		"version":      outputOf(t, dir, "version", "-o", "json"),
	}
	if *record == "" { // only a sweep in training has all keys of a status
		training, err := json.Marshal(sweepState{Runs: []runState{{Error: "x", Beat: new(protocol.Heartbeat)}}})
		if err != nil {
			t.Fatal(err)
		}
		outputs["status"] = training
	}
	const file = store010 + "/outputs/keys.json"
	golden := map[string][]string{}
	if *record != "" {
		for verb, out := range outputs {
			golden[verb] = keys(t, out)
		}
		golden["status"] = strings.Fields("id name cells completed failed state planned " +
			"runs runs.cell runs.label runs.status runs.error runs.progress")
		text, err := json.MarshalIndent(golden, "", " ")
		if err == nil {
			err = os.WriteFile(file, append(text, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	for verb, want := range golden {
		got := keys(t, outputs[verb])
		for _, key := range want {
			if !slices.Contains(got, key) {
				t.Errorf("sweep %s -o json has no %s any more: %v", verb, key, got)
			}
		}
	}
}

// docs/checkpoints.md has a row for every key of a store, and no other rows.
func TestKeysAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/checkpoints.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| key | holds |\n")
	if !found {
		t.Fatal("docs/checkpoints.md has no table of keys")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	unused := map[string]*regexp.Regexp{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(table, -1) {
		pattern := regexp.MustCompile("<[a-z0-9]+>").ReplaceAllString(regexp.QuoteMeta(row[1]), "[^/]+")
		unused[row[1]] = regexp.MustCompile("^" + pattern + "$")
	}
	documented := maps.Clone(unused)
	delete(unused, "probe/<random>")                    // never left behind
	delete(unused, "sweeps/<sweep>/plan-removing.json") // there only while sweep rm works
	delete(unused, "inits/<hash>.safetensors")          // version 0.1.0 had none; TestInitOfOwnModel stores one
	for _, key := range []string{                       // TestExtendChangesNoObject in package ledger stores them
		"plan-<number>.json", "extension-<cells>-<part>.yaml", "cells-<chunk>-<part>.json", "trees-<chunk>-<part>.json",
	} {
		delete(unused, "sweeps/<sweep>/"+key)
	}
	delete(unused, "sweeps/<sweep>/shards/<chunk>-<results>.json") // TestShards in package ledger stores them
	delete(unused, "stages/<folder>/renewals/<attempt>.json")      // nor these; storagetest.Run stores one
	root := os.DirFS(filepath.Join(store010, "store"))
	err = fs.WalkDir(root, ".", func(key string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rows := 0
		for row, pattern := range documented {
			if pattern.MatchString(key) {
				rows++
				delete(unused, row)
			}
		}
		if rows != 1 {
			t.Errorf("%s has %d rows", key, rows)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for row := range unused {
		t.Errorf("no key is like %s", row)
	}
}

// keys lists the keys of a JSON text with those above them, as in runs.cell.
func keys(t *testing.T, text []byte) (all []string) {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	var walk func(prefix string, v any)
	walk = func(prefix string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, value := range v {
				all = append(all, prefix+key)
				walk(prefix+key+".", value)
			}
		case []any:
			for _, element := range v {
				walk(prefix, element)
			}
		}
	}
	walk("", v)
	slices.Sort(all)
	return slices.Compact(all)
}

// copyStore makes a state directory with a copy of the store of version 0.1.0. Its
// files have times of modification long ago, one minute after the other in the order
// of their keys.
func copyStore(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	store := filepath.Join(dir, "store")
	if err := os.CopyFS(store, os.DirFS(filepath.Join(store010, "store"))); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	err := filepath.WalkDir(store, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		at = at.Add(time.Minute)
		return os.Chtimes(path, at, at)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// outputOf runs the program to its end, which must be good, and returns its output.
// With -record it runs the program that was given there.
func outputOf(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	t.Setenv("TZ", "UTC")
	t.Setenv("SWEEP_CPU", "portable") // the instruction path whose bits are the same on every machine
	if *record == "" {
		return []byte(mustRun(t, dir, args...))
	}
	c := exec.CommandContext(t.Context(), *record, args...)
	c.Env = append(os.Environ(), "SWEEP_DIR="+dir, "SWEEP_STORE=", "TEMPORAL_ADDRESS=")
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v", c, err)
	}
	return out
}

// firstDifference returns the first line in which two texts differ, counted from
// 1, or 0 if they are equal.
func firstDifference(a, b []byte) (line int, inA, inB string) {
	as, bs := strings.SplitAfter(string(a), "\n"), strings.SplitAfter(string(b), "\n")
	for i := range max(len(as), len(bs)) {
		inA, inB = "(nothing)", "(nothing)"
		if i < len(as) {
			inA = as[i]
		}
		if i < len(bs) {
			inB = bs[i]
		}
		if inA != inB {
			return i + 1, inA, inB
		}
	}
	return 0, "", ""
}

// withoutMachine removes from a plan what depends on the machine: times, and the
// memory, which grows with its cores.
func withoutMachine(plan []byte) []byte {
	return regexp.MustCompile(`(?m)^ *"(seconds|seconds_unshared|bytes|host_bytes)": .*\n`).ReplaceAll(plan, nil)
}

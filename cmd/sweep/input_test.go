package main

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// base is a grid with the named sections replaced.
func base(change map[string]string) string {
	sections := map[string]string{
		"name":       "name: bad",
		"data":       "data: {synthetic: {activation_dim: 8, directions: 16, tokens: 4000, active: 2}}",
		"parameters": "parameters: {k: [2, 4]}",
		"train":      "train: {dict_size: 32, steps: 100, batch_size: 64}",
		"more":       "",
	}
	for k, v := range change {
		sections[k] = v
	}
	var b strings.Builder
	for _, k := range []string{"name", "data", "parameters", "train", "more"} {
		b.WriteString(sections[k] + "\n")
	}
	return b.String()
}

// Each kind of bad grid, as the design lists them: exit status 2, an error that
// says where and what, and nothing started or written.
func TestBadGrids(t *testing.T) {
	bomb := "more:\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'l'; c++ {
		bomb += "  " + string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+", ", 10) + "]\n"
	}
	for name, x := range map[string]struct {
		grid string
		want []string
	}{
		"k of zero":           {base(map[string]string{"parameters": "parameters: {k: [0, 2]}"}), []string{":3:18:", "parameters.k"}},
		"k over dict_size":    {base(map[string]string{"parameters": "parameters: {k: [2, 64]}"}), []string{":3:21:", "64", "dict_size", "32"}},
		"decay_start too big": {base(map[string]string{"parameters": "parameters: {decay_start: [50, 100]}"}), []string{":3:", "decay_start", "100"}},
		"negative alpha":      {base(map[string]string{"parameters": "parameters: {auxk_alpha: [-1]}"}), []string{":3:", "auxk_alpha", "-1"}},
		"NaN":                 {base(map[string]string{"parameters": "parameters: {auxk_alpha: .nan}"}), []string{":3:", "auxk_alpha"}},
		"Inf":                 {base(map[string]string{"parameters": "parameters: {lr: .inf}"}), []string{":3:", "lr"}},
		"empty axis":          {base(map[string]string{"parameters": "parameters: {k: []}"}), []string{":3:", "parameters.k", "empty"}},
		"duplicate values":    {base(map[string]string{"parameters": "parameters: {k: [2, 4, 2]}"}), []string{":3:", "parameters.k"}},
		"too many cells": {base(map[string]string{"parameters": "parameters: {seed: [" + numbers(1100) + "], decay_start: [" + fractions(1000) + "]}"}),
			[]string{":3:1:", "1,100,000 cells", "limit of 1,000,000"}},
		"unknown key": {base(map[string]string{"parameters": "parameters: {dict_sizes: [32]}", "train": "train: {k: 2, steps: 100}"}), []string{":3:14:", "dict_size"}},
		"rival's key": {base(map[string]string{"more": "run: {max_concurrent_trials: 2}"}), []string{":5:7:", "max_concurrent"}},
		"alias bomb":  {base(map[string]string{"more": bomb}), []string{"alias"}},
		"too large":   {"name: bad\n#" + strings.Repeat("x", 1<<20), []string{"limit"}},
		"empty file":  {"", []string{"1:1"}},
		"bad name":    {base(map[string]string{"name": "name: Bad Name"}), []string{":1:7:", "name"}},
		"several": {base(map[string]string{"name": "name: BAD", "parameters": "parameters: {k: [0], auxk_alpha: [-1]}"}),
			[]string{":1:7:", ":3:18:", ":3:"}},
		"nothing held out": {base(map[string]string{"data": "data: {synthetic: {activation_dim: 8, directions: 16, tokens: 9, active: 2}}"}),
			[]string{":2:63:", "data.synthetic.tokens", "tenth of 9", "eval_tokens"}},
		"bad synthetic": {base(map[string]string{"data": "data: {synthetic: {activation_dim: 0, directions: 16, tokens: 10, active: 2}}"}), []string{":2:", "activation_dim"}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, write(t, x.grid), x.want)
		})
	}
}

// Bad data is refused in the same way, by the name of the file and where the grid
// names it, a line for each shard.
func TestBadData(t *testing.T) {
	dir := t.TempDir()
	for name, shards := range map[string]map[string][]byte{
		"mixed-width": {"a.npy": npy(40, 8, 1), "b.npy": npy(40, 9, 1)},
		"truncated":   {"a.npy": npy(40, 8, 1)[:500]},
		"empty":       {"a.npy": npy(0, 8, 1)},
		"not-finite":  {"a.npy": npy(40, 8, math.NaN())},
		"no-shards":   {"a.txt": []byte("hello")},
		"nine-rows":   {"a.npy": npy(9, 8, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			source := filepath.Join(dir, name)
			if err := os.MkdirAll(source, 0o755); err != nil {
				t.Fatal(err)
			}
			for file, b := range shards {
				if err := os.WriteFile(filepath.Join(source, file), b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want := "a.npy"
			if name == "no-shards" || name == "nine-rows" { // no one shard is wrong
				want = name
			}
			refused(t, write(t, base(map[string]string{"data": "data: {source: " + source + "}"})), []string{"grid.yaml:2:16: ", want})
		})
	}
	refused(t, write(t, base(map[string]string{"data": "data: {source: ./nowhere}"})), []string{"grid.yaml:2:16: ", "nowhere"})
	refused(t, write(t, base(map[string]string{"data": "data: {source: $HOME/nowhere}"})), []string{"grid.yaml:2:16: ", "$HOME are not expanded"})
	for _, file := range []string{"b.npy", "c.npy"} {
		if err := os.WriteFile(filepath.Join(dir, "empty", file), npy(0, 8, 1), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	empty := filepath.Join(dir, "empty")
	refused(t, write(t, base(map[string]string{"data": "data: {source: " + empty + "}"})), []string{
		"grid.yaml:2:16: shard " + empty + "/a.npy", "grid.yaml:2:16: shard " + empty + "/b.npy", "grid.yaml:2:16: shard " + empty + "/c.npy",
	})
}

func TestBadFlags(t *testing.T) {
	g := write(t, base(nil))
	numeric := []string{"--slots", "--slots-per-gpu", "--grpc-port", "--ui-port", "--max-cells", "--workers", "--threads", "--time"}
	for _, args := range [][]string{
		{"run"}, {"run", g, "--slots", "-1"}, {"run", g, "--backend", "tpu"}, {"run", g, "-o", "xls"},
		{"run", "no-such-file.yaml"}, {"run", g, "--nonsense"}, {"fly"}, {"plan", g, "-o", "xls"},
		{"results", "nothing-here"}, {"status", "nothing-here"}, {"run", g, "--store", "gopher://x"},
		{"list", "--store", "s3://UPPER/x"}, {"list", "--store", "file://host/x"}, {"list", "--store", "file:x"}, {"gc", "--store", "s3://bucket?adressing=path"},
		{"run", g, "--sort", "nsme"}, {"results", "x", "--sort", "-"},
		{"run", g, "--slots", "0"}, {"up", "--slots", "many"}, {"worker", "--slots-per-gpu", "0"}, {"up", "--grpc-port", "99999"},
		{"run", g, "--ui-port", "-1"}, {"up", "--grpc-port", "7300", "--ui-port", "7300"},
		{"plan", g, "--max-cells", "-1"}, {"submit", g, "--max-cells", "0"}, {"data", "inspect", g, "--workers", "-1"},
		{"bench", "--threads", "0"}, {"bench", "--time", "0s"}, {"bench", "--time", "-1s"},
		{"runn", g}, {"runn", g, "--slots", "1"}, {"data", "inspct", g, "-o", "json"},
		{"help", "nosuch"}, {"help", "data", "inspct"}, {"help", "run", "it"}, {"completion", "foosh"}, {"completion", "bash", "now"},
	} {
		p := begin(t, t.TempDir(), args...)
		if status := p.end(t); status != exitBadInput {
			t.Errorf("%v: status %d, want %d\n%s", args, status, exitBadInput, p.err.String())
		}
		if lines := strings.Count(p.err.String(), "\n"); lines != 1 {
			t.Errorf("%v: %d lines of error:\n%s", args, lines, p.err.String())
		}
		if n := len(args); n > 1 && args[0] != "runn" && slices.Contains(numeric, args[n-2]) {
			if err := p.err.String(); !strings.Contains(err, args[n-2]) || !strings.Contains(err, args[n-1]) || !strings.Contains(err, "want") {
				t.Errorf("%v: not flag, value and what is wanted: %s", args, err)
			}
		}
		if args[0] == "runn" && !strings.Contains(p.err.String(), "did you mean run") {
			t.Errorf("%v: %s", args, p.err.String())
		}
	}
}

// Verbs that read make nothing where there is nothing to read.
func TestReadingMakesNothing(t *testing.T) {
	g := write(t, base(nil))
	for _, x := range []struct {
		status int
		args   []string
	}{
		{0, []string{"list"}}, {0, []string{"list", "-o", "json"}}, {0, []string{"plan", g}}, {0, []string{"__complete", "watch", ""}},
		{exitBadInput, []string{"status", "x"}}, {exitBadInput, []string{"watch", "x"}}, {exitBadInput, []string{"results", "x"}},
		{exitBadInput, []string{"cancel", "x"}}, {exitBadInput, []string{"retry", "x"}}, {exitBadInput, []string{"extend", "x", g}},
		{exitBadInput, []string{"gc"}},
	} {
		dir := filepath.Join(t.TempDir(), "typo")
		p := begin(t, dir, x.args...)
		if status := p.end(t); status != x.status {
			t.Errorf("%v: status %d, want %d\n%s", x.args, status, x.status, p.err.String())
		}
		if x.status != 0 && !strings.Contains(p.err.String(), dir) {
			t.Errorf("%v: %s", x.args, p.err.String())
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%v made a directory", x.args)
		}
	}
}

// refused runs a grid that must be refused with an error that has all of want.
func refused(t *testing.T, g string, want []string) {
	t.Helper()
	for _, verb := range []string{"run", "plan"} {
		dir := filepath.Join(t.TempDir(), "state")
		p := begin(t, dir, verb, g)
		if status := p.end(t); status != exitBadInput {
			t.Errorf("%s: status %d, want %d", verb, status, exitBadInput)
		}
		for _, w := range want {
			if !strings.Contains(p.err.String(), w) {
				t.Errorf("%s: no %q in:\n%s", verb, w, p.err.String())
			}
		}
		if p.out.Len() > 0 {
			t.Errorf("%s wrote to stdout:\n%s", verb, p.out.String())
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s made a state directory", verb)
		}
	}
}

// npy is a float32 matrix whose numbers are all v.
func npy(rows, width int, v float64) []byte {
	head := "{'descr': '<f4', 'fortran_order': False, 'shape': (" + itoa(rows) + ", " + itoa(width) + "), }"
	for (10+len(head)+1)%64 != 0 {
		head += " "
	}
	head += "\n"
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(head)), byte(len(head)>>8))
	b = append(b, head...)
	for range rows * width {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
	}
	return b
}

func itoa(n int) string { return strconv.Itoa(n) }

func numbers(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = itoa(i)
	}
	return strings.Join(list, ",")
}

func fractions(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = strconv.FormatFloat(float64(i)/float64(n), 'f', 4, 64)
	}
	return strings.Join(list, ",")
}

// What a server that does not answer would know is unknown.
func TestUnknownState(t *testing.T) {
	dir := t.TempDir()
	g := write(t, base(nil))
	ok(t, dir, "run", g, "--no-ui")
	if err := os.RemoveAll(filepath.Join(dir, "store", "results")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"list"}, {"status", "bad"}} {
		if out := ok(t, dir, args...); !strings.Contains(out, "stopped") {
			t.Errorf("%v without a server:\n%s", args, out)
		}
		p := begin(t, dir, append(args, "--address", "127.0.0.1:1")...)
		if status := p.end(t); status != 0 || !strings.Contains(p.out.String(), "unknown") || !strings.Contains(p.err.String(), "127.0.0.1:1") {
			t.Errorf("%v, no answer: status %d\n%s%s", args, status, p.out.String(), p.err.String())
		}
	}
}

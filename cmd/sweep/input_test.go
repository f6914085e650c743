package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A bad grid of any kind ends with exit status 2 and an error that says where and
// what, and nothing is started or written.
func TestBadGrids(t *testing.T) {
	bomb := "more:\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'l'; c++ {
		bomb += "  " + string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+", ", 10) + "]\n"
	}
	for name, x := range map[string]struct {
		grid string
		want []string
	}{
		"k of zero":           {gridWith("parameters: {k: [0, 2]}"), []string{":3:18:", "parameters.k"}},
		"k over dict_size":    {gridWith("parameters: {k: [2, 64]}"), []string{":3:21:", "64", "dict_size", "32"}},
		"decay_start too big": {gridWith("parameters: {decay_start: [50, 100]}"), []string{":3:", "decay_start", "100"}},
		"negative alpha":      {gridWith("parameters: {auxk_alpha: [-1]}"), []string{":3:", "auxk_alpha", "-1"}},
		"NaN":                 {gridWith("parameters: {auxk_alpha: .nan}"), []string{":3:", "auxk_alpha"}},
		"Inf":                 {gridWith("parameters: {lr: .inf}"), []string{":3:", "lr"}},
		"empty axis":          {gridWith("parameters: {k: []}"), []string{":3:", "parameters.k", "empty"}},
		"duplicate values":    {gridWith("parameters: {k: [2, 4, 2]}"), []string{":3:", "parameters.k"}},
		"too many cells": {
			gridWith("parameters: {seed: [" + numbers(1100) + "], decay_start: [" + fractions(1000) + "]}"),
			[]string{":3:1:", "1,100,000 cells", "limit of 1,000,000"},
		},
		"unknown key": {
			gridWith("parameters: {dict_sizes: [32]}", "train: {k: 2, steps: 100}"),
			[]string{":3:14:", "dict_size"},
		},
		"another tool's key": {gridWith("run: {max_concurrent_trials: 2}"), []string{":5:7:", "max_concurrent"}},
		"alias bomb":         {gridWith(bomb), []string{"alias"}},
		"too large":          {"name: bad\n#" + strings.Repeat("x", 1<<20), []string{"limit"}},
		"empty file":         {"", []string{"1:1"}},
		"bad name":           {gridWith("name: Bad Name"), []string{":1:7:", "name"}},
		"several": {
			gridWith("name: BAD", "parameters: {k: [0], auxk_alpha: [-1]}"),
			[]string{":1:7:", ":3:18:", ":3:"},
		},
		"nothing held out": {
			gridWith("data: {synthetic: {activation_dim: 8, directions: 16, tokens: 9, active: 2}}"),
			[]string{":2:63:", "data.synthetic.tokens", "tenth of 9", "eval_tokens"},
		},
		"bad synthetic": {
			gridWith("data: {synthetic: {activation_dim: 0, directions: 16, tokens: 10, active: 2}}"),
			[]string{":2:", "activation_dim"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			checkRefused(t, writeGrid(t, x.grid), x.want)
		})
	}
}

// Bad data is refused in the same way. The error names the file and the position in
// the grid, in a line for each shard.
func TestBadData(t *testing.T) {
	dir := t.TempDir()
	for name, shards := range map[string]map[string][]byte{
		"mixed-width": {"a.npy": npy(40, 8, 1), "b.npy": npy(40, 9, 1)},
		"truncated":   {"a.npy": npy(40, 8, 1)[:500]},
		"empty":       {"a.npy": npy(0, 8, 1)},
		"not-finite":  {"a.npy": npy(40, 8, math.NaN())},
		"no-shards":   {"a.txt": []byte("hello")},
		"nine-rows":   {"a.npy": npy(9, 8, 1)},
		"copies":      {"a.npy": npy(40, 8, 1), "b.npy": npy(40, 8, 1)},
		"transposed":  {"a.npy": npy(8, 40, 1)},
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
			switch name {
			case "no-shards", "nine-rows", "transposed": // it is no single shard that is wrong
				want = name
			}
			checkRefused(t, gridOfSource(t, source), []string{"grid.yaml:2:16: ", want})
		})
	}
	checkRefused(t, gridOfSource(t, "./nowhere"), []string{"grid.yaml:2:16: ", "nowhere"})
	checkRefused(t, gridOfSource(t, "$HOME/nowhere"), []string{"grid.yaml:2:16: ", "$HOME are not expanded"})
	for _, file := range []string{"b.npy", "c.npy"} {
		if err := os.WriteFile(filepath.Join(dir, "empty", file), npy(0, 8, 1), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	empty := filepath.Join(dir, "empty")
	checkRefused(t, gridOfSource(t, empty), []string{
		"grid.yaml:2:16: shard " + empty + "/a.npy",
		"grid.yaml:2:16: shard " + empty + "/b.npy",
		"grid.yaml:2:16: shard " + empty + "/c.npy",
	})
}

// A relative source is one relative to the grid. A separator at its end says that it is a
// folder, and stays.
func TestAbsoluteSource(t *testing.T) {
	dir := t.TempDir()
	for source, want := range map[string]string{
		"acts": "acts", "acts/": "acts/", "acts/*/": "acts/*/", "./a/**/b.npy": "a/**/b.npy", "a/../b": "b", "**": "**",
	} {
		if got := absoluteSource(source, dir); got != filepath.Join(dir, "x")[:len(dir)+1]+filepath.FromSlash(want) {
			t.Errorf("%s became %s", source, got)
		}
	}
	for _, source := range []string{"", "~/acts", "file:///acts", "s3://acts", filepath.Join(dir, "acts")} {
		if got := absoluteSource(source, dir); got != source {
			t.Errorf("%s became %s", source, got)
		}
	}
}

// gridOfSource is the file of a grid with a data source.
func gridOfSource(t *testing.T, source string) string {
	t.Helper()
	return writeGrid(t, gridWith("data: {source: "+source+"}"))
}

func TestBadFlags(t *testing.T) {
	g := writeGrid(t, gridWith())
	numeric := []string{
		"--slots", "--slots-per-gpu", "--grpc-port", "--ui-port", "--max-cells", "--workers", "--threads", "--time",
	}
	for _, args := range [][]string{
		{"run"}, {"run", g, "--slots", "-1"}, {"run", g, "--backend", "tpu"}, {"run", g, "-o", "xls"},
		{"run", "no-such-file.yaml"}, {"run", g, "--nonsense"}, {"fly"}, {"plan", g, "-o", "xls"},
		{"results", "nothing-here"}, {"status", "nothing-here"}, {"run", g, "--store", "gopher://x"},
		{"list", "--store", "s3://UPPER/x"}, {"list", "--store", "file://host/x"}, {"list", "--store", "file:x"},
		{"list", "--store", "s3:/bucket/x"}, {"list", "--store", "s3:bucket"},
		{"gc", "--store", "s3://bucket?adressing=path"},
		{"run", g, "--sort", "nsme"}, {"results", "x", "--sort", "-"},
		{"run", g, "--slots", "0"}, {"up", "--slots", "many"}, {"worker", "--slots-per-gpu", "0"},
		{"up", "--grpc-port", "99999"},
		{"run", g, "--ui-port", "-1"}, {"up", "--grpc-port", "7300", "--ui-port", "7300"},
		{"plan", g, "--max-cells", "-1"}, {"submit", g, "--max-cells", "0"}, {"data", "inspect", g, "--workers", "-1"},
		{"bench", "--threads", "0"}, {"bench", "--time", "0s"}, {"bench", "--time", "-1s"},
		{"runn", g}, {"runn", g, "--slots", "1"}, {"data", "inspct", g, "-o", "json"},
		{"help", "nosuch"}, {"help", "data", "inspct"}, {"help", "run", "it"},
		{"completion", "foosh"}, {"completion", "bash", "now"},
	} {
		p := startProgram(t, t.TempDir(), args...)
		if status := p.exitStatus(t); status != exitBadInput {
			t.Errorf("%v: status %d, want %d\n%s", args, status, exitBadInput, p.err.String())
		}
		if lines := strings.Count(p.err.String(), "\n"); lines != 1 {
			t.Errorf("%v: %d lines of error:\n%s", args, lines, p.err.String())
		}
		if n := len(args); n > 1 && args[0] != "runn" && slices.Contains(numeric, args[n-2]) {
			for _, want := range []string{args[n-2], args[n-1], "want"} { // flag, value and what is allowed
				if !strings.Contains(p.err.String(), want) {
					t.Errorf("%v: no %q in %s", args, want, p.err.String())
				}
			}
		}
		if args[0] == "runn" && !strings.Contains(p.err.String(), "did you mean run") {
			t.Errorf("%v: %s", args, p.err.String())
		}
	}
}

// A format that a verb does not have is refused with those that it has.
func TestFormats(t *testing.T) {
	for _, x := range []struct{ verb, want string }{
		{"list", "table or json"},
		{"status x", "text or json"},
		{"results x", "one of table, csv, json, jsonl, md, latex, parquet"},
	} {
		var messages bytes.Buffer
		args := append(strings.Fields(x.verb), "-o", "xls")
		status := execute(t.Context(), &environment{out: io.Discard, errOut: &messages}, args)
		if want := "sweep: -o xls: want " + x.want + "\n"; status != exitBadInput || messages.String() != want {
			t.Errorf("%v: status %d, %q, want %q", args, status, messages.String(), want)
		}
	}
}

// Verbs that read a store make no folder if there is no store.
func TestReadingMakesNothing(t *testing.T) {
	g := writeGrid(t, gridWith())
	for _, x := range []struct {
		status int
		args   []string
	}{
		{exitOK, []string{"list"}},
		{exitOK, []string{"list", "-o", "json"}},
		{exitOK, []string{"plan", g}},
		{exitOK, []string{"__complete", "watch", ""}},
		{exitBadInput, []string{"status", "x"}},
		{exitBadInput, []string{"watch", "x"}},
		{exitBadInput, []string{"results", "x"}},
		{exitBadInput, []string{"cancel", "x"}},
		{exitBadInput, []string{"retry", "x"}},
		{exitBadInput, []string{"extend", "x", g}},
		{exitBadInput, []string{"gc"}},
	} {
		dir := filepath.Join(t.TempDir(), "typo")
		p := startProgram(t, dir, x.args...)
		if status := p.exitStatus(t); status != x.status {
			t.Errorf("%v: status %d, want %d\n%s", x.args, status, x.status, p.err.String())
		}
		if x.status != exitOK && !strings.Contains(p.err.String(), dir) {
			t.Errorf("%v: %s", x.args, p.err.String())
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%v made a directory", x.args)
		}
	}
}

// checkRefused runs a grid that must be refused with an error that has all of want.
func checkRefused(t *testing.T, g string, want []string) {
	t.Helper()
	for _, verb := range []string{"run", "plan"} {
		dir := filepath.Join(t.TempDir(), "state")
		p := startProgram(t, dir, verb, g)
		if status := p.exitStatus(t); status != exitBadInput {
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
	head := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, width)
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

func numbers(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = strconv.Itoa(i)
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

// The state of a sweep with runs to train is unknown if the server that is named does
// not answer.
func TestUnknownState(t *testing.T) {
	dir := t.TempDir()
	g := writeGrid(t, gridWith())
	mustRun(t, dir, "run", g, "--no-ui")
	if err := os.RemoveAll(filepath.Join(dir, "store", "results")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"list"}, {"status", "bad"}} {
		if out := mustRun(t, dir, args...); !strings.Contains(out, "idle") {
			t.Errorf("%v without a server:\n%s", args, out)
		}
		p := startProgram(t, dir, append(args, "--address", "127.0.0.1:1")...)
		status, out, messages := p.exitStatus(t), p.out.String(), p.err.String()
		if status != exitOK || !strings.Contains(out, "unknown") || !strings.Contains(messages, "127.0.0.1:1") {
			t.Errorf("%v, no answer: status %d\n%s%s", args, status, out, messages)
		}
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Figures of a file are written in every format, and those without data are named with the reason.
func TestPlot(t *testing.T) {
	dir := t.TempDir()
	runs := writeRuns(t, dir, []int{8, 64, 512}, []int{2048, 16384, 131072})
	out := filepath.Join(dir, "new", "figures")
	p := startProgram(t, dir, "plot", runs, "--out", out)
	if status := p.exitStatus(t); status != exitOK {
		t.Fatalf("status %d\n%s", status, p.err.String())
	}
	paths := strings.Fields(p.out.String())
	if len(paths) != 6 || paths[0] != filepath.Join(out, "nmse-by-dict-size.svg") {
		t.Errorf("written: %v", paths)
	}
	before := map[string]string{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil || len(b) == 0 {
			t.Errorf("%s: %d bytes: %v", path, len(b), err)
		}
		before[path] = string(b)
	}
	for _, want := range []string{
		"left out nmse-by-flops: there are no curves", "left out curves: there are no curves",
		"left out dead-latents: no run has a number of dead latents", "left out nmse-by-l0",
	} {
		if !strings.Contains(p.err.String(), want) {
			t.Errorf("no %q in\n%s", want, p.err.String())
		}
	}
	// One k is no axis, and the fit has fewer coefficients. Equal data give equal files.
	mustRun(t, dir, "plot", runs, "--out", out, "--format", "svg,svg", "--width", "8cm")
	if b, err := os.ReadFile(paths[0]); err != nil || string(b) != before[paths[0]] {
		t.Errorf("the same figure again has other bytes (%v)", err)
	}
	one := filepath.Join(dir, "one")
	written := strings.Fields(mustRun(t, dir, "plot", runs, "--out", one, "--format", "svg", "--width", "3in",
		"--where", "k=8"))
	if len(written) != 1 || written[0] != filepath.Join(one, "nmse-by-dict-size.svg") {
		t.Errorf("of one k: %v", written)
	}
}

func TestPlotRefuses(t *testing.T) {
	dir := t.TempDir()
	runs := writeRuns(t, dir, []int{8}, []int{2048})
	other := filepath.Join(dir, "other.csv")
	if err := os.WriteFile(other, []byte("a,b\n1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "figures")
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{runs}, exitBadInput, "--out"},
		{[]string{runs, "--out", out, "--format", "gif"}, exitBadInput, "svg, png or pdf"},
		{[]string{runs, "--out", out, "--format", ""}, exitBadInput, "svg, png or pdf"},
		{[]string{runs, "--out", out, "--width", "8"}, exitBadInput, "cm, mm, in or pt"},
		{[]string{runs, "--out", out, "--width", "NaNcm"}, exitBadInput, "5cm to 60cm"},
		{[]string{runs, "--out", out, "--width", "1000mm"}, exitBadInput, "5cm to 60cm"},
		{[]string{other, "--out", out}, exitBadInput, "no column k"},
		{[]string{runs, "--out", out, "--where", "kk=8"}, exitBadInput, "kk"},
		{[]string{filepath.Join(dir, "none.csv"), "--out", out}, exitBadInput, "none.csv"},
		{[]string{runs, "--out", out, "--where", "k=9"}, exitError, "no figure can be drawn"},
		{[]string{runs, "--out", out}, exitError, "all runs have dict_size 2048"},
	} {
		p := startProgram(t, dir, append([]string{"plot"}, c.args...)...)
		if status := p.exitStatus(t); status != c.status || !strings.Contains(p.err.String(), c.want) {
			t.Errorf("%v: status %d, want %d with %q\n%s", c.args, status, c.status, c.want, p.err.String())
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a folder is made although there is no figure")
	}
}

// A width that is read lies in the bounds of figures.
func FuzzParseWidth(f *testing.F) {
	for _, s := range []string{"8cm", "80mm", "3in", "227pt", "1e9cm", "0x1p3cm", "cm", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := parseWidth(s); err == nil && !(v >= 5 && v <= 60) {
			t.Errorf("%q is read as %v", s, v)
		}
	})
}

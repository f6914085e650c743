package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The lines of Python in docs/results.md make their figures from one Parquet file, and they are five at most. The
// interpreter is that of the environment variable SWEEP_TEST_PYTHON; it has pandas, pyarrow and matplotlib.
func TestPythonFigures(t *testing.T) {
	doc, err := os.ReadFile("../../docs/results.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "<!-- python -->\n```python\n")
	program, _, found := strings.Cut(rest, "```\n<!-- /python -->")
	if n := strings.Count(program, "\n"); !found || n < 2 || n > 5 {
		t.Fatalf("%d lines of Python:\n%s", n, program)
	}
	python := os.Getenv("SWEEP_TEST_PYTHON")
	if python == "" {
		t.Skip("SWEEP_TEST_PYTHON names no interpreter with pandas, pyarrow and matplotlib")
	}
	t.Setenv("SWEEP_CPU", "portable")
	dir, folder := t.TempDir(), t.TempDir()
	mustRun(t, dir, "run", writeGrid(t, seedsGrid), "--no-ui")
	mustRun(t, dir, "results", "seeds", "--out", filepath.Join(folder, "results.parquet"))
	c := exec.CommandContext(t.Context(), python, "-c", program)
	c.Dir = folder
	c.Env = append(os.Environ(), "MPLBACKEND=Agg", "MPLCONFIGDIR="+t.TempDir())
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	figures, err := filepath.Glob(filepath.Join(folder, "*.png"))
	if err != nil || len(figures) != 3 {
		t.Fatalf("%v, %v", figures, err)
	}
	for _, name := range []string{"dict_size.png", "k.png", "flops.png"} {
		figure := filepath.Join(folder, name)
		if info, err := os.Stat(figure); err != nil || info.Size() < 5000 {
			t.Errorf("%s: %v", figure, err)
		}
	}
}

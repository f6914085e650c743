package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/track"
)

// seedsOfTwo trains two seeds with a learning rate that is good, and two with one that fails.
func seedsOfTwo(t *testing.T) (dir string) {
	dir = t.TempDir()
	g := writeGrid(t, `
name: seeds
data: {synthetic: {activation_dim: 8, directions: 16, tokens: 4000, active: 2}}
parameters: {lr: [0.001, 1e37], seed: [0, 1]}
train: {dict_size: 32, k: 2, steps: 60, batch_size: 64}
`)
	p := startProgram(t, dir, "run", g, "--no-ui")
	if status := p.exitStatus(t); status != exitError {
		t.Fatalf("status %d\n%s", status, p.err.String())
	}
	return dir
}

func TestTrack(t *testing.T) {
	dir := seedsOfTwo(t)
	first, second := t.TempDir(), t.TempDir()
	for _, target := range track.Targets() {
		for _, parent := range []string{first, second} {
			out := filepath.Join(parent, target.Name)
			said := mustRun(t, dir, "track", "seeds", "--to", target.Name, "--out", out)
			const want = "wrote 4 runs, 2 of them failed or canceled, with "
			if !strings.Contains(said, want) || !strings.Contains(said, "next: ") {
				t.Errorf("%s: %s", target.Name, said)
			}
		}
	}
	if a, b := everyFile(t, first), everyFile(t, second); !bytes.Equal(a, b) {
		t.Error("two exports of a sweep differ")
	}
	same := filepath.Join(t.TempDir(), "same")
	mustRun(t, dir, "track", "seeds", "--to", "trackio", "--out", same, "--reproducible")
	time := []byte("final/device_seconds")
	if !bytes.Contains(everyFile(t, first), time) || bytes.Contains(everyFile(t, same), time) {
		t.Error("times: want them, but not with --reproducible")
	}
	for _, args := range [][]string{
		{"track", "seeds", "--to", "tensorboard", "--out", first},
		{"track", "seeds", "--to", "tensorbord", "--out", filepath.Join(first, "new")},
		{"track", "seeds", "--to", "tensorboard"},
		{"track", "seeds", "--out", filepath.Join(first, "new")},
		{"track", "--to", "tensorboard", "--out", filepath.Join(first, "new")},
	} {
		p := startProgram(t, dir, args...)
		if status := p.exitStatus(t); status != exitBadInput || p.out.Len() > 0 {
			t.Errorf("%v: status %d, %s", args, status, p.out.String())
		}
	}

	// The models of two seeds, compared.
	lines := rowsOf(t, mustRun(t, dir, "results", "seeds", "--mcc", "-o", "csv"))
	var values []float64
	for _, row := range lines {
		v, err := strconv.ParseFloat(row["mcc"], 64)
		if isCompleted := row["status"] == "completed"; isCompleted != (err == nil) {
			t.Errorf("mcc %q of a run that is %s", row["mcc"], row["status"])
		} else if isCompleted {
			values = append(values, v)
		}
	}
	if len(values) != 2 || values[0] != values[1] || !(values[0] > 0.3 && values[0] < 1) {
		t.Errorf("mcc %v", values)
	}
	header, _, _ := strings.Cut(mustRun(t, dir, "results", "seeds", "--mcc", "--group-by", "k,status", "-o", "csv"), "\n")
	if strings.Count(header, "mcc_mean") != 1 {
		t.Errorf("columns of means: %s", header)
	}
	p := startProgram(t, dir, "results", "seeds", "--where", "mcc>0.5")
	if p.exitStatus(t) != exitBadInput || !strings.Contains(p.err.String(), "the flag --mcc computes it") {
		t.Errorf("%s", p.err.String())
	}
}

// The real packages find the values of the results in the files.
func TestPythonTrack(t *testing.T) {
	interpreter := os.Getenv("SWEEP_TEST_PYTHON")
	if interpreter == "" {
		t.Skip("SWEEP_TEST_PYTHON is not set: make python-check sets it")
	}
	dir := seedsOfTwo(t)
	rows := rowsOf(t, mustRun(t, dir, "results", "seeds", "-o", "csv"))
	for _, target := range track.Targets() {
		out := filepath.Join(t.TempDir(), "out")
		mustRun(t, dir, "track", "seeds", "--to", target.Name, "--out", out)
		const script = "../../sweep/track/testdata/read_back.py"
		c := exec.CommandContext(t.Context(), interpreter, script, target.Name, out, t.TempDir())
		var said bytes.Buffer
		c.Stderr = &said
		printed, err := c.Output()
		if err != nil {
			t.Errorf("%s: %v\n%s", target.Name, err, said.String())
			continue
		}
		var runs map[string]struct {
			Status string
			Final  map[string]float64
			Curve  map[string][][2]float64
		}
		if err := json.Unmarshal(printed, &runs); err != nil {
			t.Fatal(err)
		}
		if len(runs) != len(rows) {
			t.Errorf("%s: %d runs, want %d", target.Name, len(runs), len(rows))
		}
		for _, row := range rows {
			for name, run := range runs {
				if !strings.HasSuffix(name, "cell="+row["cell"][:10]) {
					continue
				}
				if row["status"] != "completed" {
					if run.Status != "FAILED" {
						t.Errorf("%s: %s is %s", target.Name, name, run.Status)
					}
					continue
				}
				want, err := strconv.ParseFloat(row["nmse"], 64)
				if target.Name == "tensorboard" {
					want = float64(float32(want))
				}
				losses := run.Curve["loss"]
				if err != nil || run.Status != "FINISHED" || run.Final["nmse"] != want || len(losses) == 0 || losses[0][0] != 0 {
					t.Errorf("%s: %s: %+v, want nmse %v", target.Name, name, run, want)
				}
			}
		}
	}
}

// rowsOf reads CSV into rows by the names of the columns.
func rowsOf(t *testing.T, text string) (rows []map[string]string) {
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(lines) < 2 {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// everyFile is the names and contents of all files below a folder.
func everyFile(t *testing.T, folder string) (all []byte) {
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		all = append(append(append(all, name...), 0), content...)
		return err
	})
	if err != nil || len(all) == 0 {
		t.Fatal(err)
	}
	return all
}

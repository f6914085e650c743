package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/trainer/models"
)

// filesBelow is the content of every file below a folder.
func filesBelow(t *testing.T, folder string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		out[strings.TrimPrefix(path, folder+string(filepath.Separator))] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Models of a sweep become folders, which hold what is in the store; an export again changes nothing, and other formats
// are added.
func TestExport(t *testing.T) {
	dir := t.TempDir()
	mustRun(t, dir, "run", writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 50")), "--no-ui", "--no-report")
	out := filepath.Join(dir, "out")
	folders := strings.Fields(mustRun(t, dir, "export", "small", "--out", out, "--to", "sparsify"))
	if len(folders) != 4 {
		t.Fatalf("folders %q", folders)
	}
	// The store has the files of three tools; the README of each says which are there.
	runs, err := filepath.Glob(filepath.Join(dir, "store", "models", "*"))
	if err != nil || len(runs) != 4 {
		t.Fatalf("models %q, %v", runs, err)
	}
	stored := map[string]map[string]string{}
	for _, run := range runs {
		stored[filepath.Base(run)] = filesBelow(t, run)
	}
	cellOf := func(folder string) string {
		var r ledger.Result
		b, err := os.ReadFile(filepath.Join(folder, "result.json"))
		if err := errors.Join(err, json.Unmarshal(b, &r)); err != nil {
			t.Fatal(err)
		}
		return r.Cell
	}
	check := func(folder string, files ...string) {
		t.Helper()
		got := filesBelow(t, folder)
		if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, files) {
			t.Errorf("%s holds %q, want %q", folder, names, files)
		}
		for name, content := range got {
			if want, ok := stored[cellOf(folder)][name]; ok && name != "README.md" && content != want {
				t.Errorf("%s differs from that of the store", filepath.Join(folder, name))
			}
		}
		m, _, err := models.Open(folder)
		if err != nil {
			t.Errorf("%s: %v", folder, err)
		} else if off := m.Norms().Off(); off > 1e-6 {
			t.Errorf("%s: norms differ from 1 by %v", folder, off)
		}
	}
	for _, folder := range folders {
		check(folder, "README.md", "cfg.json", "curve.json", "result.json", "sae.safetensors")
		if readme := filesBelow(t, folder)["README.md"]; !strings.Contains(readme, cellOf(folder)) {
			t.Errorf("the README of %s does not name its cell:\n%s", folder, readme)
		}
	}
	before := filesBelow(t, out)
	mustRun(t, dir, "export", "small", "--out", out, "--to", "sparsify")
	if got := filesBelow(t, out); !maps.Equal(got, before) {
		t.Error("a second export changed files")
	}
	var report exportReport
	said := mustRun(t, dir, "export", cellOf(folders[1])[:8], "--out", out, "-o", "json")
	if err := json.Unmarshal([]byte(said), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Exported) != 1 || len(report.Failed) != 0 || report.Exported[0].Folder != folders[1] ||
		report.Exported[0].Change != "added" || len(report.Exported[0].Formats) != 4 {
		t.Errorf("one run, in all formats:\n%s", said)
	}
	check(folders[1], "README.md", "ae.pt", "cfg.json", "config.json", "curve.json", filepath.Join("reference", "ae.pt"),
		filepath.Join("reference", "config.json"), "result.json", "sae.safetensors", "sae_weights.safetensors")
	named := strings.Fields(mustRun(t, dir, "export", "small", "--out", out, "--where", "k=2", "--to", "saelens",
		"--name", "by/{lm_name}/k{k}_{cell}"))
	if len(named) != 2 || !strings.HasPrefix(named[0], filepath.Join(out, "by", "_", "k2_")) {
		t.Errorf("by a template: %q", named)
	}
	check(named[0], "README.md", "cfg.json", "curve.json", "result.json", "sae_weights.safetensors")

	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"nobody"}, "is no ID of a run"},
		{[]string{"0"}, "nor 4 or more characters of its beginning"},
		{[]string{"00000000"}, "no run whose ID begins so"},
		{[]string{"small", "--name", "{k}"}, "would have one folder"},
		{[]string{"small", "--name", "{dictsize}"}, "did you mean {dict_size}?"},
		{[]string{"small", "--to", "safelens"}, "did you mean saelens?"},
		{[]string{"small", "--where", "k=77"}, "chooses none"},
		{[]string{"small", "--cell", "zz"}, "no such cell"},
		{[]string{cellOf(folders[0]), "--where", "k=2"}, "chooses cells of a sweep"},
		{nil, "requires at least 1 arg"},
	} {
		p := startProgram(t, dir, append([]string{"export", "--out", filepath.Join(dir, "none")}, c.args...)...)
		if status := p.exitStatus(t); status != exitBadInput || !strings.Contains(p.err.String(), c.want) {
			t.Errorf("%v: status %d, want %q\n%s", c.args, status, c.want, p.err.String())
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("bad input left a folder: %v", err)
	}
}

// What is wrong with one model is said, and the others are exported. What another has left is kept.
func TestExportOfSome(t *testing.T) {
	dir := t.TempDir()
	mustRun(t, dir, "run", writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 50")), "--no-ui", "--no-report")
	out := filepath.Join(dir, "out")
	runs, err := filepath.Glob(filepath.Join(dir, "store", "models", "*"))
	if err != nil || len(runs) != 4 {
		t.Fatalf("models %q, %v", runs, err)
	}
	weights := filepath.Join(runs[0], ledger.WeightsFile)
	b, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(filepath.Join(runs[3], "cfg.json"))
	if err != nil {
		t.Fatal(err)
	}
	result := filepath.Join(dir, "store", "results", filepath.Base(runs[2])+".json")
	err = errors.Join(os.WriteFile(weights, b[:len(b)/2], 0o600), os.RemoveAll(runs[1]), os.Remove(result))
	if err != nil {
		t.Fatal(err)
	}
	p := startProgram(t, dir, "export", "small", "--out", out, "--name", "{cell}", "-o", "json")
	status := p.exitStatus(t)
	if status != exitError || !strings.Contains(p.err.String(), "3 of 4 runs are not exported") {
		t.Fatalf("status %d\n%s", status, p.err.String())
	}
	var report exportReport
	if err := json.Unmarshal(p.out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Exported) != 1 || report.Exported[0].Run != filepath.Base(runs[3]) || len(report.Failed) != 3 {
		t.Fatalf("%s", p.out.String())
	}
	for i, want := range []string{"sae.safetensors", "not in the store", "no result (pending)"} {
		found := slices.ContainsFunc(report.Failed, func(f notExported) bool {
			return f.Run == filepath.Base(runs[i]) && strings.Contains(f.Why, want)
		})
		if !found || !strings.Contains(p.err.String(), "run "+filepath.Base(runs[i])+" is not exported") {
			t.Errorf("run %s: want %q in %+v", runs[i], want, report.Failed)
		}
	}
	if entries, err := os.ReadDir(out); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	// A folder of another model stays, until it is to be replaced.
	folder := filepath.Join(out, filepath.Base(runs[3]))
	mine := bytes.Replace(other, []byte("topk"), []byte("mine"), 1)
	if err := os.WriteFile(filepath.Join(folder, "cfg.json"), mine, 0o600); err != nil {
		t.Fatal(err)
	}
	run := filepath.Base(runs[3])
	p = startProgram(t, dir, "export", run, "--out", out, "--name", "{cell}")
	status = p.exitStatus(t)
	if status != exitError || !strings.Contains(p.err.String(), "--force") ||
		filesBelow(t, folder)["cfg.json"] != string(mine) {
		t.Errorf("another model: status %d\n%s", status, p.err.String())
	}
	mustRun(t, dir, "export", run, "--out", out, "--name", "{cell}", "--force")
	if got := filesBelow(t, folder)["cfg.json"]; got != string(other) {
		t.Errorf("replaced: %s", got)
	}
}

// A model of version 0.1.0 is exported, with the names and the scale that its plan tells.
func TestExportOf010(t *testing.T) {
	dir := copyStore(t)
	out := filepath.Join(dir, "out")
	p := startProgram(t, dir, "export", "2efcba", "--out", out)
	if status := p.exitStatus(t); status != exitOK || !strings.Contains(p.err.String(), "stay as they are") {
		t.Errorf("status %d, want a note on the norms of W_dec\n%s", status, p.err.String())
	}
	folder := strings.TrimSpace(p.out.String())
	m, _, err := models.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	if m.ActivationDim != 4 || m.DictSize != 32 || m.K != 2 || !strings.Contains(folder, "trunks-") {
		t.Errorf("%s: width %d, %d latents, k %d", folder, m.ActivationDim, m.DictSize, m.K)
	}
	p = startProgram(t, dir, "export", "trunks", "--out", out)
	if status := p.exitStatus(t); status != exitError || strings.TrimSpace(p.out.String()) != folder ||
		!strings.Contains(p.err.String(), "its model is not in the store") {
		t.Errorf("a sweep with one model: status %d\n%s\n%s", status, p.out.String(), p.err.String())
	}
}

package main

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

// A grid whose names were mended, run again, gives them to the table, to the models in the store and to exports.
// Nothing is trained again.
func TestMendedNamesReachModels(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	named := func(lmName, layer string) string {
		return writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 50", "auxk_alpha: [0, 0.03125]",
			"auxk_alpha: [0]", "normalize: mean_square", "normalize: mean_square, lm_name: "+lmName+", layer: "+layer))
	}
	mustRun(t, dir, "run", named("wrong-lm", "3"), "--no-ui", "--no-report")
	store := filepath.Join(dir, "store")
	weights := readModels(t, dir)

	p := startProgram(t, dir, "run", named("right-lm", "5"), "--no-ui", "--no-report")
	if status := p.exitStatus(t); status != exitOK {
		t.Fatalf("status %d\n%s", status, p.err.String())
	}
	if !maps.Equal(readModels(t, dir), weights) {
		t.Error("the weights have changed")
	}
	if out := mustRun(t, dir, "results", "small", "-o", "csv"); !strings.Contains(out, "right-lm") {
		t.Errorf("the table:\n%s", out)
	}
	out := filepath.Join(dir, "out")
	folders := strings.Fields(mustRun(t, dir, "export", "small", "--out", out))
	if len(folders) != 2 {
		t.Fatalf("folders %q", folders)
	}
	for _, folder := range []string{filepath.Join(store, "models"), filepath.Join(store, "results"), out} {
		found := 0
		for name, body := range filesBelow(t, folder) {
			if strings.Contains(body, "wrong-lm") {
				t.Errorf("%s in %s has the old name", name, folder)
			}
			found += strings.Count(body, "right-lm")
		}
		if found < 2 {
			t.Errorf("%s has the new name %d times", folder, found)
		}
	}
}

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
)

// A sweep is removed with what no other sweep needs, without a server. Of two sweeps that share a cell the other one
// keeps its result, and the removed one can be trained again.
func TestRemoveSweep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	grid := func(name, ks string) string {
		path := filepath.Join(dir, name+".yaml")
		text := "name: " + name + "\ndata: {synthetic: {activation_dim: 8, directions: 16, tokens: 2000, active: 2}}\n" +
			"parameters: {k: " + ks + "}\ntrain: {steps: 20, batch_size: 32, dict_size: 16}\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	first, second := grid("first", "[2, 3]"), grid("second", "[3, 4]")
	mustRun(t, dir, "run", first, "--no-ui")
	mustRun(t, dir, "run", second, "--no-ui")

	p := startProgram(t, dir, "rm", "first")
	if status := p.exitStatus(t); status != exitBadInput || !strings.Contains(p.err.String(), "--yes") {
		t.Errorf("without --yes: status %d\n%s", status, p.err.String())
	}
	var would, removed ledger.Removal
	if err := json.Unmarshal([]byte(mustRun(t, dir, "rm", "fir", "--dry-run", "-o", "json")), &would); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(mustRun(t, dir, "rm", "fir", "--yes", "-o", "json")), &removed); err != nil {
		t.Fatal(err)
	}
	if text := mustRun(t, dir, "rm", "sec", "--dry-run"); !strings.HasPrefix(text, "second-") {
		t.Errorf("which sweep a beginning stands for is not said:\n%s", text)
	}
	if !would.DryRun || removed.DryRun || would.Bytes() != removed.Bytes() {
		t.Errorf("would remove %+v, removed %+v", would, removed)
	}
	if n := removed.Part(ledger.RemovedResults).Count; n != 1 || removed.Part(ledger.RemovedModels).Count != 1 {
		t.Errorf("removed %+v, want 1 result and 1 model", removed)
	}
	if text := mustRun(t, dir, "list"); strings.Contains(text, "first") || !strings.Contains(text, "2/2") {
		t.Errorf("the list afterwards:\n%s", text)
	}
	p = startProgram(t, dir, "rm", "secnd", "--yes")
	if status := p.exitStatus(t); status != exitBadInput || !strings.Contains(p.err.String(), "did you mean second?") {
		t.Errorf("misspelt: status %d\n%s", status, p.err.String())
	}
	if out := mustRun(t, dir, "run", first, "--no-ui", "-o", "csv"); strings.Count(out, "completed") != 2 {
		t.Errorf("trained again:\n%s", out)
	}
}

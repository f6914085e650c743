package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// A plan has the names of the activations that the grid gives, and else those of harvest.json beside the shards. What
// is wrong with such a file is a note.
func TestNamesOfActivations(t *testing.T) {
	dir := t.TempDir()
	acts := filepath.Join(dir, "acts")
	if err := os.CopyFS(acts, os.DirFS("../../trainer/data/testdata/minilm-l3")); err != nil {
		t.Fatal(err)
	}
	planned := func(section string) (trainer.Names, string) {
		t.Helper()
		grid := filepath.Join(dir, "grid.yaml")
		text := "name: names\ndata: {source: acts" + section + "}\nparameters: {k: 8, dict_size: 64}\n" +
			"train: {steps: 10, batch_size: 32}\n"
		if err := os.WriteFile(grid, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p := startProgram(t, dir, "plan", grid, "-o", "json")
		if status := p.exitStatus(t); status != exitOK {
			t.Fatalf("status %d\n%s", status, p.err.String())
		}
		var out struct {
			Data     trainer.DataSpec `json:"data"`
			Warnings []string         `json:"warnings"`
		}
		if err := json.Unmarshal(p.out.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		return out.Data.Names, strings.Join(out.Warnings, "\n")
	}
	n, notes := planned("")
	if n.LMName != "all-MiniLM-L6-v2" || n.Layer == nil || *n.Layer != 3 || n.ModulePath != "encoder.layer.3" ||
		n.ContextLength != 128 || n.DropSpecial == nil || !*n.DropSpecial || n.PrependBOS != nil ||
		n.HookName != "blocks.3.hook_normalized_resid_post" || strings.Contains(notes, "harvest.json") {
		t.Errorf("of harvest.json: %+v\n%s", n, notes)
	}
	n, notes = planned(", prepend_bos: true, lm_name: mine, hook_name: blocks.3.hook_normalized_resid_post")
	if n.LMName != "mine" || n.PrependBOS == nil || !*n.PrependBOS || n.ContextLength != 128 ||
		strings.Contains(notes, "harvest.json") {
		t.Errorf("of both: %+v\n%s", n, notes)
	}
	n, notes = planned(", layer: 5")
	if n.LMName != "" || *n.Layer != 5 || !strings.Contains(notes, "harvest.json says that layer is 3") {
		t.Errorf("of a grid that contradicts it: %+v\n%s", n, notes)
	}
	if err := os.WriteFile(filepath.Join(acts, "harvest.json"), []byte(`{"config": {`), 0o600); err != nil {
		t.Fatal(err)
	}
	n, notes = planned("")
	if n != (trainer.Names{}) || !strings.Contains(notes, "is not as deploy/harvest writes it") {
		t.Errorf("of a damaged file: %+v\n%s", n, notes)
	}
}

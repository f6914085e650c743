package main

import (
	"encoding/json"
	"fmt"
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

// A source with harvests of several layers is refused, with sets that a grid takes as they are. One of them has a
// path that YAML needs in quotes.
func TestSetsOfLayers(t *testing.T) {
	dir := t.TempDir()
	shard, err := os.ReadFile("../../trainer/data/testdata/minilm-l3/activations-00000.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for i, folder := range []string{"l3", "l6: {#"} {
		in := filepath.Join(dir, "acts", folder)
		if err := os.MkdirAll(in, 0o700); err != nil {
			t.Fatal(err)
		}
		shard[len(shard)-2] ^= byte(i) // the layers differ
		record := fmt.Sprintf(`{"names": {"layer": %d, "submodule_name": "resid_post"}}`, 3*(i+1))
		for name, b := range map[string][]byte{"a.safetensors": shard, "harvest.json": []byte(record)} {
			if err := os.WriteFile(filepath.Join(in, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	plan := func(section string) *program {
		t.Helper()
		grid := filepath.Join(dir, "grid.yaml")
		text := "name: layers\n" + section + "\nparameters: {k: 8, dict_size: 64}\ntrain: {steps: 10, batch_size: 32}\n"
		if err := os.WriteFile(grid, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return startProgram(t, dir, "plan", grid, "-o", "json")
	}
	p := plan("data: {source: acts}")
	if status := p.exitStatus(t); status != exitBadInput {
		t.Fatalf("status %d\n%s", status, p.err.String())
	}
	_, sets, found := strings.Cut(p.err.String(), "\ndata:\n")
	if !found || !strings.Contains(p.err.String(), "say: layer 3 resid_post, layer 6 resid_post. ") {
		t.Fatalf("stderr: %s", p.err.String())
	}
	if p = plan("data:\n" + sets); p.exitStatus(t) != exitOK {
		t.Fatalf("with these sets: %s", p.err.String())
	}
	var out struct {
		Cells int `json:"cells"`
	}
	if err := json.Unmarshal(p.out.Bytes(), &out); err != nil || out.Cells != 2 {
		t.Errorf("%v\n%s", err, p.out.String())
	}
}

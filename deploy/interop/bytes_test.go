package interop

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/models"
)

// TestLoadedBytes compares the files that are written of small models with the bytes that the packages have loaded:
// loaded.json, which `make interop` writes after they did. If it fails, files have changed since: run make interop.
// With SWEEP_INTEROP_FILES it writes the files into that folder and compares nothing.
func TestLoadedBytes(t *testing.T) {
	out := os.Getenv("SWEEP_INTEROP_FILES")
	got := map[string]string{}
	for name, m := range smallModels() {
		files, err := models.Files(m, models.Formats()...)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			data, err := io.ReadAll(io.NewSectionReader(f.Body, 0, f.Size))
			if err != nil {
				t.Fatal(err)
			}
			got[name+"/"+f.Name] = fmt.Sprintf("%x", sha256.Sum256(data))
			if out == "" {
				continue
			}
			path := filepath.Join(out, name, filepath.FromSlash(f.Name))
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, data, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	if out != "" {
		return
	}
	text, err := os.ReadFile("loaded.json")
	if err != nil {
		t.Fatal(err)
	}
	var loaded map[string]string
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&loaded); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if loaded[name] != got[name] {
			t.Errorf("%s has other bytes than those that the packages loaded: run make interop", name)
		}
	}
	if len(loaded) != len(got) {
		t.Errorf("%d files are written, and the packages loaded %d: run make interop", len(got), len(loaded))
	}
}

// smallModels returns models whose numbers are multiples of a power of 2, the same on every machine.
func smallModels() map[string]*models.Model {
	const d, f, k = 8, 32, 4
	layer, yes, no := 3, true, false
	threshold := 0.375
	make := func(unit bool) *models.Model {
		m := &models.Model{ActivationDim: d, DictSize: f, K: k, W: trainer.NewParams(d, f)}
		fill := func(stream uint64, v []float32) {
			for i := range v {
				v[i] = float32(math.Round(1024*(2*trainer.Uniform(7, stream, uint64(i))-1)) / 1024)
			}
		}
		fill(1, m.W.WEnc)
		fill(2, m.W.BEnc)
		fill(3, m.W.WDec)
		fill(4, m.W.BDec)
		if unit { // one number a row is 1 or -1
			for i := range m.W.WDec {
				m.W.WDec[i] = 0
			}
			for row := range f {
				m.W.WDec[row*d+row%d] = float32(1 - 2*(row/d%2))
			}
		}
		return m
	}
	named := make(true)
	named.Threshold, named.Scale = &threshold, 0.125
	named.Names = trainer.Names{
		LMName: "sentence-transformers/all-MiniLM-L6-v2", Layer: &layer, SubmoduleName: "resid_post",
		HookName: "blocks.3.hook_resid_post", ModulePath: "encoder.layer.3", ContextLength: 128, PrependBOS: &yes,
		DropSpecial: &no,
	}
	named.Facts = []models.Fact{{Name: "recipe", Value: "corrected"}, {Name: "nmse", Value: "0.125"}}
	return map[string]*models.Model{"unit norms, with names": named, "other norms, without names": make(false)}
}

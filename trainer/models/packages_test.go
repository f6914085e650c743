package models

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestPackages reads what the Python packages wrote (testdata/packages, by deploy/interop/small.py), and computes in
// float64 what each package computed itself.
func TestPackages(t *testing.T) {
	for _, name := range []string{
		"dictionary-learning-trainsae",
		"dictionary-learning-trainsae-normalize-activations",
		"dictionary-learning-checkpoints-ae-step-pt",
		"dictionary-learning-475fece-four-tensors",
		"sparsify-trainer",
		"sparsify-save-to-disk",
		"sparsify-save-to-disk-bfloat16",
		"saelens-save-model-rescale-acts-by-decoder-norm",
		"saelens-save-model-without-it",
		"saelens-save-inference-model",
		"saelens-apply-b-dec-to-input-false",
		"saelens-expected-average-only-in",
	} {
		t.Run(name, func(t *testing.T) { checkPackage(t, filepath.Join("testdata", "packages", name)) })
	}
}

func checkPackage(t *testing.T, folder string) {
	var want struct {
		Path            string
		K               int
		UnitNorms       bool `json:"unit_norms"`
		Rows            [][]float64
		Latents         [][]float64
		Reconstructions [][]float64
	}
	text, err := os.ReadFile(filepath.Join(folder, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	m, from, err := Open(filepath.Join(folder, want.Path))
	if err != nil {
		t.Fatal(err)
	}
	if from == "" {
		t.Error("it is not said where the model is from")
	}
	if m.K != want.K || len(want.Rows) == 0 {
		t.Fatalf("k %d and %d rows, want k %d and some rows", m.K, len(want.Rows), want.K)
	}
	if n := m.Norms(); (n.OffUnit == 0) != want.UnitNorms {
		t.Errorf("norms of the rows of W_dec are %+v, want unit norms: %v", n, want.UnitNorms)
	}
	for r, x := range want.Rows {
		latents, y := inFloat64(m, x)
		sameRow(t, "latents", r, latents, want.Latents[r])
		sameRow(t, "the reconstruction", r, y, want.Reconstructions[r])
	}
}

// sameRow holds the distance of two rows to 1e-5 of the norm of the second.
func sameRow(t *testing.T, what string, row int, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("row %d: %s: %d numbers, want %d", row, what, len(got), len(want))
	}
	var off, size float64
	for i := range want {
		off += (got[i] - want[i]) * (got[i] - want[i])
		size += want[i] * want[i]
	}
	if !(math.Sqrt(off) <= 1e-5*math.Sqrt(size)) {
		t.Errorf("row %d: %s\n%v, want\n%v", row, what, got, want)
	}
}

// inFloat64 is the forward pass as Model's comment has it.
func inFloat64(m *Model, x []float64) (latents, y []float64) {
	d := m.ActivationDim
	latents, y = make([]float64, m.DictSize), make([]float64, d)
	for f := range latents {
		pre := float64(m.W.BEnc[f])
		for i := range d {
			pre += float64(m.W.WEnc[f*d+i]) * (x[i] - float64(m.W.BDec[i]))
		}
		latents[f] = max(0, pre)
	}
	order := slices.Clone(latents)
	slices.Sort(order)
	least := order[len(order)-m.K]
	for i := range d {
		y[i] = float64(m.W.BDec[i])
	}
	for f, a := range latents {
		if a < least {
			latents[f] = 0
			continue
		}
		for i := range d {
			y[i] += a * float64(m.W.WDec[f*d+i])
		}
	}
	return latents, y
}

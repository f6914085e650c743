package activities

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
	"github.com/topksweep/sweep/trainer/data"
	"github.com/topksweep/sweep/trainer/safetensors"
)

// The exported model takes activations as they are stored. On them, reconstruct
// gives what the model in training gives on scaled activations, divided by the scale.
func TestExport(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, nil))
	if err := w.train(); err != nil {
		t.Fatal(err)
	}
	c := w.plan.Cells[1].Config
	d, f := c.ActivationDim, c.DictSize
	state := trainer.NewState(c)
	if _, err := w.checkpoints().RestoreStep(t.Context(), steps, decoder(c, state)); err != nil {
		t.Fatal(err)
	}
	if err := w.evaluate(); err != nil {
		t.Fatal(err)
	}
	file := w.model()
	tensors := readTensors(t, file)
	for name, n := range map[string]int{"encoder.weight": f * d, "encoder.bias": f, "W_dec": f * d, "b_dec": d} {
		if len(tensors[name]) != n {
			t.Fatalf("%s has %d numbers, want %d", name, len(tensors[name]), n)
		}
	}

	spec := w.plan.Data
	scaled, err := data.Open(t.Context(), spec, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	spec.Normalize = "none"
	raw, err := data.Open(t.Context(), spec, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	scale := scaled.Info().Scale
	if math.Abs(scale-1) < 0.1 {
		t.Fatalf("scale %v: the case is too easy", scale)
	}
	const rows = 64
	x, xs := make([]float32, rows*d), make([]float32, rows*d)
	if err := cmp.Or(raw.Eval(0, x), scaled.Eval(0, xs)); err != nil {
		t.Fatal(err)
	}
	m, err := cpu.New(1).New(c, state, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	acts, latents := make([]float32, rows*c.K), make([]int32, rows*c.K)
	if err := m.Encode(xs, c.K, nil, acts, latents); err != nil {
		t.Fatal(err)
	}
	for r := range rows {
		want := make([]float64, d)
		for j := range want {
			want[j] = float64(state.W.BDec[j])
			for i := r * c.K; i < (r+1)*c.K; i++ {
				want[j] += float64(acts[i]) * float64(state.W.WDec[int(latents[i])*d+j])
			}
			want[j] /= scale
		}
		got := reconstruct(tensors, x[r*d:(r+1)*d], f, c.K)
		for j := range want {
			if !(math.Abs(got[j]-want[j]) <= 1e-4) {
				t.Fatalf("row %d: %v, want %v", r, got, want)
			}
		}
	}

	var cfg struct {
		Activation string `json:"activation"`
		K          int    `json:"k"`
		NumLatents int    `json:"num_latents"`
		DIn        int    `json:"d_in"`
	}
	var curve []trainer.Point
	var result ledger.Result
	for name, v := range map[string]any{modelConfig: &cfg, modelCurve: &curve, modelResult: &result} {
		if err := json.Unmarshal(read(t, w.store, ledger.ModelKey(w.id(), name)), v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if cfg.Activation != "topk" || cfg.K != c.K || cfg.NumLatents != f || cfg.DIn != d {
		t.Errorf("config %+v", cfg)
	}
	if len(curve) != steps || curve[steps-1].Step != steps-1 || result.Cell != w.plan.Cells[1].ID {
		t.Errorf("%d points, result %+v", len(curve), result)
	}
}

// reconstruct runs the exported model on one activation vector x:
//
//	a = ReLU(W_enc (x − b_dec) + b_enc)
//	x̂ = b_dec + Σ a_f · W_dec[f], over the k latents f with the largest a_f
func reconstruct(w map[string][]float64, x []float32, f, k int) []float64 {
	d := len(x)
	type act struct {
		latent int
		value  float64
	}
	acts := make([]act, f)
	for i := range acts {
		sum := w["encoder.bias"][i]
		for j := range x {
			sum += w["encoder.weight"][i*d+j] * (float64(x[j]) - w["b_dec"][j])
		}
		acts[i] = act{i, max(0, sum)}
	}
	slices.SortStableFunc(acts, func(a, b act) int { return cmp.Compare(b.value, a.value) })
	out := slices.Clone(w["b_dec"])
	for _, a := range acts[:k] {
		for j := range out {
			out[j] += a.value * w["W_dec"][a.latent*d+j]
		}
	}
	return out
}

// readTensors reads the tensors of a safetensors file of float32, by name.
func readTensors(t *testing.T, file []byte) map[string][]float64 {
	t.Helper()
	h, err := safetensors.ReadHeader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	body := file[int64(len(file))-h.Tensors[len(h.Tensors)-1].End:]
	out := map[string][]float64{}
	for _, x := range h.Tensors {
		for b := body[x.Begin:x.End]; len(b) > 0; b = b[4:] {
			out[x.Name] = append(out[x.Name], float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
		}
	}
	return out
}

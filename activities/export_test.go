package activities

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
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
	decoder, _ := trainer.UnitRows(state.W.WDec, d)
	for r := range rows {
		want := make([]float64, d)
		for j := range want {
			want[j] = float64(state.W.BDec[j])
			for i := r * c.K; i < (r+1)*c.K; i++ {
				want[j] += float64(acts[i]) * float64(decoder[int(latents[i])*d+j])
			}
			want[j] /= scale
		}
		got, _ := reconstruct(tensors, x[r*d:(r+1)*d], f, c.K)
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

// A result holds the numbers of the model that is exported: decoding its file on the
// held-out rows as they are stored gives the metrics, whatever the recipe.
func TestExportedModelHasTheMetrics(t *testing.T) {
	for _, recipe := range trainer.Recipes() {
		t.Run(recipe.Name, func(t *testing.T) {
			src := strings.Replace(gridYAML, "train: {", "train: {threshold_start_step: 5, recipe: "+recipe.Name+", ", 1)
			w := submit(t, openDir(t), planOf(t, src))
			if err := cmp.Or(w.train(), w.evaluate()); err != nil {
				t.Fatal(err)
			}
			c, scale := w.plan.Cells[1].Config, w.plan.Info.Scale
			result, err := w.ledger.Result(t.Context(), w.id())
			if err != nil {
				t.Fatal(err)
			}
			file := w.model()
			checkExport(t, recipe, result, file, read(t, w.store, ledger.ModelKey(w.id(), modelConfig)))
			if result.Scale != scale {
				t.Errorf("scale %v, want %v", result.Scale, scale)
			}
			spec := w.plan.Data
			spec.Normalize = "none"
			raw, err := data.Open(t.Context(), spec, data.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			x := make([]float32, int(raw.EvalRows())*c.ActivationDim)
			if err := raw.Eval(0, x); err != nil {
				t.Fatal(err)
			}
			m := result.Metrics
			for name, v := range map[string]float64{
				"l2_loss": m.L2Loss, "nmse": *m.NMSE, "cosine": *m.Cosine, "l2_ratio": *m.L2Ratio,
				"relative_reconstruction_bias": *m.ReconstructionBias, "l0": m.L0, "l1": *m.L1,
				"frac_variance_explained": *m.FracVarianceExplained, "decoder_cosine": *m.DecoderCosine,
			} {
				want := measured(readTensors(t, file), x, c, scale)[name]
				if !(math.Abs(v-want) <= 1e-5*math.Abs(want)) {
					t.Errorf("%s is %v, the exported model has %v", name, v, want)
				}
			}
		})
	}
}

// checkExport checks the norms of W_dec, the config and the metadata of a model.
func checkExport(t *testing.T, recipe trainer.Recipe, r ledger.Result, file, config []byte) {
	t.Helper()
	d := r.Config.ActivationDim
	decoder := readTensors(t, file)["W_dec"]
	for f := range r.Config.DictSize {
		norm := 0.0
		for _, v := range decoder[f*d : (f+1)*d] {
			norm += v * v
		}
		if !(math.Abs(math.Sqrt(norm)-1) <= 1e-6) {
			t.Fatalf("row %d of W_dec has norm %v", f, math.Sqrt(norm))
		}
	}
	var cfg struct {
		Normalize bool     `json:"normalize_decoder"`
		Scale     float64  `json:"scale"`
		Threshold *float64 `json:"threshold"`
	}
	if err := json.Unmarshal(config, &cfg); err != nil || !cfg.Normalize || cfg.Scale != r.Scale {
		t.Errorf("config %s, %v", config, err)
	}
	h, err := safetensors.ReadHeader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	scale, err := strconv.ParseFloat(h.Metadata["sweep.scale"], 64)
	if err != nil || scale != r.Scale {
		t.Errorf("metadata %v", h.Metadata)
	}
	threshold, ok := h.Metadata["sweep.threshold"]
	if has := r.Threshold != nil; has != recipe.Threshold || ok != has || (cfg.Threshold != nil) != has {
		t.Fatalf("threshold %v, in the config %v, in the metadata %q", r.Threshold, cfg.Threshold, threshold)
	}
	if ok {
		v, err := strconv.ParseFloat(threshold, 64)
		if err != nil || v != *r.Threshold || *cfg.Threshold != v || !(v > 0) {
			t.Errorf("threshold %v, in the config %v, in the metadata %q", *r.Threshold, *cfg.Threshold, threshold)
		}
	}
}

// measured are metrics of an exported model on stored rows x_nD, in the units of
// training: l2_loss is that of scaled rows.
func measured(w map[string][]float64, x []float32, c trainer.Config, scale float64) map[string]float64 {
	d := c.ActivationDim
	n := float64(len(x) / d)
	mean := make([]float64, d)
	for i, v := range x {
		mean[i%d] += float64(v) / n
	}
	var e2, variance, cos, ratio, y2, xy, l0, l1 float64
	var residuals []float64
	for at := 0; at < len(x); at += d {
		row := x[at : at+d]
		y, acts := reconstruct(w, row, c.DictSize, c.K)
		var rx, ry, rxy float64
		for j, v := range row {
			xj := float64(v)
			e2 += (y[j] - xj) * (y[j] - xj)
			variance += (xj - mean[j]) * (xj - mean[j])
			rx, ry, rxy = rx+xj*xj, ry+y[j]*y[j], rxy+xj*y[j]
			residuals = append(residuals, xj-y[j])
		}
		for _, a := range acts {
			if a > 0 {
				l0, l1 = l0+1, l1+a
			}
		}
		cos, ratio = cos+rxy/math.Sqrt(rx*ry), ratio+math.Sqrt(ry/rx)
		y2, xy = y2+ry, xy+rxy
	}
	centre := make([]float64, d)
	for i, r := range residuals {
		centre[i%d] += r / n
	}
	unexplained := 0.0
	for i, r := range residuals {
		unexplained += (r - centre[i%d]) * (r - centre[i%d])
	}
	var rows [][]float64
	for f := range c.DictSize {
		rows = append(rows, w["W_dec"][f*d:(f+1)*d])
	}
	similar, pairs := 0.0, 0.0
	for i, a := range rows {
		for _, b := range rows[:i] {
			dot := 0.0
			for j := range a {
				dot += a[j] * b[j]
			}
			similar, pairs = similar+math.Abs(dot), pairs+1
		}
	}
	return map[string]float64{
		"l1": l1 / n * scale, "frac_variance_explained": 1 - unexplained/variance, "decoder_cosine": similar / pairs,
		"l2_loss": e2 / n * scale * scale, "nmse": e2 / variance, "cosine": cos / n, "l2_ratio": ratio / n,
		"relative_reconstruction_bias": y2 / xy, "l0": l0 / n,
	}
}

// A row of zeros stays one, and the config does not say then that all norms are 1. A
// bias that float32 cannot hold is an error.
func TestExportOfExtremes(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, nil))
	c := w.plan.Cells[1].Config
	s := trainer.Init(c)
	clear(s.W.WDec[:c.ActivationDim])
	for i := range c.ActivationDim {
		s.W.WDec[c.ActivationDim+i] *= 1e-44
		s.W.WDec[2*c.ActivationDim+i] *= 1e30
	}
	r := ledger.NewResult(&w.plan.Header, w.plan.Cells[1], plan.Completed)
	if err := w.export(t.Context(), &w.plan.Header, "x", r, s); err != nil {
		t.Fatal(err)
	}
	var cfg map[string]any
	if err := json.Unmarshal(read(t, w.store, ledger.ModelKey("x", modelConfig)), &cfg); err != nil {
		t.Fatal(err)
	}
	if cfg["normalize_decoder"] != false {
		t.Errorf("config %v", cfg)
	}
	decoder := readTensors(t, read(t, w.store, ledger.ModelKey("x", modelWeights)))["W_dec"]
	for f, want := range []float64{0, 1, 1, 1} {
		norm := 0.0
		for _, v := range decoder[f*c.ActivationDim : (f+1)*c.ActivationDim] {
			norm += v * v
		}
		if !(math.Abs(math.Sqrt(norm)-want) <= 1e-6) {
			t.Errorf("row %d of W_dec has norm %v, want %v", f, math.Sqrt(norm), want)
		}
	}
	s.W.BDec[2], r.Scale = 1e30, 1e-20
	var numeric *trainer.NumericError
	err := w.export(t.Context(), &w.plan.Header, "y", r, s)
	if !errors.As(err, &numeric) || !strings.Contains(err.Error(), "b_dec") {
		t.Errorf("1e30 over 1e-20: %v", err)
	}
}

// reconstruct runs the exported model on one activation vector x:
//
//	a = ReLU(W_enc (x − b_dec) + b_enc)
//	x̂ = b_dec + Σ a_f · W_dec[f], over the k latents f with the largest a_f
//
// It returns x̂ and the activations of the k latents, of which some may be 0.
func reconstruct(w map[string][]float64, x []float32, f, k int) (out, kept []float64) {
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
	out = slices.Clone(w["b_dec"])
	for _, a := range acts[:k] {
		kept = append(kept, a.value)
		for j := range out {
			out[j] += a.value * w["W_dec"][a.latent*d+j]
		}
	}
	return out, kept
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

// Wherever storing a file of the model ends early, there is no result; the next attempt leaves the whole folder, also
// over files that the one before, or another version, has left there.
func TestExportEndsEarly(t *testing.T) {
	p := makePlan(t, nil)
	whole := submit(t, openDir(t), p)
	whole.finish()
	prefix := ledger.ModelKey(whole.id(), "")
	want := map[string]string{}
	for _, key := range keys(t, whole.store, prefix) {
		want[key] = string(read(t, whole.store, key))
	}
	if len(want) < 7 {
		t.Fatalf("the folder of a model holds %d files", len(want))
	}
	first := submit(t, openDir(t), p)
	if err := first.train(); err != nil {
		t.Fatal(err)
	}
	for key := range want {
		for _, op := range []string{"put", "get"} { // get: what was stored is read back
			failing := &momentStore{Store: first.store, op: op, part: key, at: func(context.Context) error {
				return errors.New("the connection is reset")
			}}
			if err := newWorker(t, failing, p).evaluate(); err == nil || !strings.Contains(err.Error(), "is reset") {
				t.Fatalf("%s of %s fails: %v", op, key, err)
			}
			if left := keys(t, first.store, "results/"); len(left) > 0 {
				t.Fatalf("%s of %s fails: there are results %q", op, key, left)
			}
			if err := storage.PutBytes(t.Context(), first.store, key, []byte("of another version")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := newWorker(t, first.store, p).evaluate(); err != nil {
		t.Fatal(err)
	}
	for key, body := range want {
		got := string(read(t, first.store, key))
		if !strings.HasSuffix(key, modelResult) && got != body {
			t.Errorf("%s differs from that of an export that nothing ended", key)
		}
	}
	if got := keys(t, first.store, prefix); len(got) != len(want) || len(keys(t, first.store, "results/")) != 1 {
		t.Errorf("the folder holds %q", got)
	}
}

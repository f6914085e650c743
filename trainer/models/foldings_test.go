package models

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/topksweep/sweep/trainer"
)

// forward computes in float64 what a model does with x.
func (m *Model) forward(x []float64) (acts, xHat []float64) {
	return saelensForward(m.W, m.K, true, false, 1, x)
}

// saelensForward is the forward pass of SAELens' TopKSAE in float64, with its switches. scale is what a user
// multiplies x by, and divides the reconstruction by, under expected_average_only_in.
func saelensForward(
	w trainer.Params, k int, subtract, rescale bool, scale float64, x []float64,
) (acts, xHat []float64) {
	d, f := len(w.BDec), len(w.BEnc)
	acts, xHat = make([]float64, f), make([]float64, d)
	norms := make([]float64, f)
	for i := range f {
		sum, norm := float64(w.BEnc[i]), 0.0
		for j := range d {
			in := x[j] * scale
			if subtract {
				in -= float64(w.BDec[j])
			}
			sum += in * float64(w.WEnc[i*d+j])
			norm += float64(w.WDec[i*d+j]) * float64(w.WDec[i*d+j])
		}
		norms[i] = math.Sqrt(norm)
		if rescale {
			sum *= norms[i]
		}
		acts[i] = sum
	}
	order := slices.Clone(acts)
	slices.Sort(order)
	for i, a := range acts {
		if a < order[f-k] || a < 0 {
			acts[i] = 0
		}
	}
	for j := range d {
		sum := float64(w.BDec[j])
		for i, a := range acts {
			if rescale && a != 0 {
				a /= norms[i]
			}
			sum += a * float64(w.WDec[i*d+j])
		}
		xHat[j] = sum / scale
	}
	return acts, xHat
}

// near reports how far a is from b, relative to the norm of b.
func near(a, b []float64) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	var off, size float64
	for i := range b {
		off += (a[i] - b[i]) * (a[i] - b[i])
		size += b[i] * b[i]
	}
	return math.Sqrt(off / size)
}

// What SAELens' switches say is folded into the weights: the model computes the same, and keeps the same latents.
func TestFoldings(t *testing.T) {
	const d, f, k = 8, 32, 4
	for i := range 1 << 3 {
		subtract, rescale, scale := i&1 != 0, i&2 != 0, 1.0
		if i&4 != 0 {
			scale = 3.5
		}
		t.Run(fmt.Sprintf("subtract=%v,rescale=%v,scale=%v", subtract, rescale, scale), func(t *testing.T) {
			m := small(d, f, k)
			r := rand.New(rand.NewPCG(5, uint64(i)))
			for row := range f { // norms from 0.1 to 10
				n := math.Pow(10, 2*r.Float64()-1)
				scaleAll(m.W.WDec[row*d:(row+1)*d], n)
			}
			fsys := folder(t, m, SAELens)
			edit(t, fsys, toolsConfig, func(c map[string]any) {
				c["apply_b_dec_to_input"], c["rescale_acts_by_decoder_norm"] = subtract, rescale
				if scale != 1 {
					c["normalize_activations"] = expectedAverage
				}
			})
			if scale != 1 {
				fsys[scalerFile] = &fstest.MapFile{Data: fmt.Appendf(nil, `{"scaling_factor": %v}`, scale)}
			}
			got, _, err := Read(fsys)
			if err != nil {
				t.Fatal(err)
			}
			for range 50 {
				x := make([]float64, d)
				for j := range x {
					x[j] = r.NormFloat64()
				}
				acts, xHat := saelensForward(m.W, k, subtract, rescale, scale, x)
				gotActs, gotHat := got.forward(x)
				if a, h := near(gotActs, acts), near(gotHat, xHat); !(a <= 2e-6 && h <= 2e-6) {
					t.Fatalf("latents are off by %v, the reconstruction by %v", a, h)
				}
			}
		})
	}
}

// The folders that the packages have written give what the packages compute with them (testdata/make.py).
func TestFoldingsOfPackages(t *testing.T) {
	folders, err := filepath.Glob("testdata/foldings/*")
	if err != nil || len(folders) < 7 {
		t.Fatalf("%d folders, %v", len(folders), err)
	}
	for _, name := range folders {
		t.Run(filepath.Base(name), func(t *testing.T) {
			var want struct {
				X, Acts [][]float64
				XHat    [][]float64 `json:"x_hat"`
			}
			text, err := os.ReadFile(filepath.Join(name, "expected.json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, &want); err != nil || len(want.X) != 3 {
				t.Fatalf("%d rows, %v", len(want.X), err)
			}
			m, _, err := Open(name)
			if err != nil {
				t.Fatal(err)
			}
			if m.Names.LMName == "" || m.Names.ContextLength != 64 {
				t.Errorf("names %+v", m.Names)
			}
			for i, x := range want.X {
				acts, xHat := m.forward(x)
				if a, h := near(acts, want.Acts[i]), near(xHat, want.XHat[i]); !(a <= 2e-6 && h <= 2e-6) {
					t.Errorf("row %d: latents are off by %v, the reconstruction by %v", i, a, h)
				}
			}
		})
	}
}

// edit changes the JSON object of a file.
func edit(t testing.TB, fsys fstest.MapFS, name string, change func(map[string]any)) {
	t.Helper()
	v := map[string]any{}
	if err := json.Unmarshal(fsys[name].Data, &v); err != nil {
		t.Fatal(err)
	}
	change(v)
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	fsys[name] = &fstest.MapFile{Data: b}
}

// A model whose rows have one norm computes the same when they are at unit norm; one whose rows have several does not.
func TestNormalize(t *testing.T) {
	const d, f, k = 6, 24, 3
	r := rand.New(rand.NewPCG(7, 8))
	for _, c := range []struct {
		name  string
		norm  func(row int) float64
		exact bool
	}{
		{"one norm", func(int) float64 { return 2.5 }, true},
		{"unit", func(int) float64 { return 1 }, true},
		{"one norm and zeros", func(row int) float64 { return 2.5 * float64(row%4) / max(1, float64(row%4)) }, true},
		{"several", func(row int) float64 { return 1 + float64(row) }, false},
		{"zeros", func(int) float64 { return 0 }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := small(d, f, k)
			threshold := 0.5
			m.Threshold = &threshold
			for row := range f {
				scaleAll(m.W.WDec[row*d:(row+1)*d], c.norm(row))
			}
			before := trainer.Params{WEnc: slices.Clone(m.W.WEnc), BEnc: slices.Clone(m.W.BEnc),
				WDec: slices.Clone(m.W.WDec), BDec: slices.Clone(m.W.BDec)}
			if exact := m.Normalize(); exact != c.exact {
				t.Errorf("exact: %v", exact)
			}
			rowNorms(m.W.WDec, d, func(row int, n float64) {
				if want := min(1, c.norm(row)); !(math.Abs(n-want) <= 1e-6) {
					t.Errorf("row %d has the norm %v", row, n)
				}
			})
			if (m.Threshold != nil) != c.exact {
				t.Errorf("threshold %v", m.Threshold)
			} else if c.name == "one norm" && !(math.Abs(*m.Threshold-1.25) <= 1e-6) {
				t.Errorf("threshold %v, not 0.5 · 2.5", *m.Threshold)
			}
			for range 20 {
				x := make([]float64, d)
				for j := range x {
					x[j] = r.NormFloat64()
				}
				_, got := m.forward(x)
				_, want := saelensForward(before, k, true, !c.exact, 1, x)
				if h := near(got, want); !(h <= 2e-6) {
					t.Errorf("the reconstruction is off by %v", h)
				}
			}
		})
	}
}

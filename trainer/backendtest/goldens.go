package backendtest

import (
	"bytes"
	"embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/safetensors"
)

//go:embed testdata/goldens
var recorded embed.FS

// GoldensVariable is the environment variable that names another folder of
// goldens, in the format that testdata/goldens/README.md describes.
const GoldensVariable = "SWEEP_GOLDENS"

// compared counts the goldens that this process has compared a backend with. It is a
// variable of the package because a TestMain knows nothing of the tests that it runs.
var compared atomic.Int64

// Main runs the tests of a backend's package; its TestMain exits with the status
// that Main returns. If GoldensVariable names a folder and no golden of it was
// compared, because -run selects none, the status is 1: otherwise a wrong pattern
// would look like a backend that agrees.
func Main(m *testing.M) int {
	status := m.Run()
	if dir := os.Getenv(GoldensVariable); dir != "" && status == 0 && compared.Load() == 0 {
		const why = "no golden was compared: -run must select TestBackend/…/goldens"
		fmt.Fprintf(os.Stderr, "%s=%s: %s\n", GoldensVariable, dir, why)
		return 1
	}
	return status
}

// Goldens runs every golden of the folder as a subtest.
func Goldens(t *testing.T, b trainer.Backend) {
	folder, err := fs.Sub(recorded, "testdata/goldens")
	if err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv(GoldensVariable); dir != "" {
		folder = os.DirFS(dir)
	}
	names, err := fs.Glob(folder, "*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Fatalf("no goldens in %s=%q", GoldensVariable, os.Getenv(GoldensVariable))
	}
	for _, name := range names {
		name = strings.TrimSuffix(name, ".json")
		t.Run(name, func(t *testing.T) {
			g, err := readGolden(folder, name)
			if err != nil {
				t.Fatal(err)
			}
			compared.Add(1)
			g.run(t, b)
		})
	}
}

// golden is one recorded run.
type golden struct {
	Config struct {
		Recipe             string
		ActivationDim      int     `json:"activation_dim"`
		DictSize           int     `json:"dict_size"`
		K                  int     `json:"k"`
		BatchSize          int     `json:"batch_size"`
		Steps              int     `json:"steps"`
		DecayStart         int     `json:"decay_start"`
		AuxKAlpha          float64 `json:"auxk_alpha"`
		KAux               int     `json:"k_aux"`
		DeadThreshold      int64   `json:"dead_feature_threshold"`
		LR                 float64 `json:"lr"`
		WarmupSteps        int     `json:"warmup_steps"`
		ThresholdStartStep int     `json:"threshold_start_step"`
		ThresholdBeta      float64 `json:"threshold_beta"`
	}
	F64 map[string][]*float64 // one value a step; null where not recorded

	tensors map[string][]float64
}

func (g *golden) config() trainer.Config {
	c := g.Config
	return trainer.Config{
		Recipe: c.Recipe, ActivationDim: c.ActivationDim, DictSize: c.DictSize, K: c.K, AuxKAlpha: c.AuxKAlpha,
		KAux: c.KAux, DecayStart: c.DecayStart, Steps: c.Steps, BatchSize: c.BatchSize, LR: c.LR,
		WarmupSteps: c.WarmupSteps, ThresholdStartStep: c.ThresholdStartStep, ThresholdBeta: c.ThresholdBeta,
		DeadFeatureThreshold: c.DeadThreshold, Precision: "f32",
	}.Resolve()
}

func readGolden(folder fs.FS, name string) (*golden, error) {
	text, err := fs.ReadFile(folder, name+".json")
	if err != nil {
		return nil, err
	}
	g := &golden{tensors: map[string][]float64{}}
	if err := json.Unmarshal(text, g); err != nil {
		return nil, fmt.Errorf("%s.json: %w", name, err)
	}
	if g.Config.Recipe == "" || len(g.F64["loss"]) != g.Config.Steps {
		return nil, fmt.Errorf("%s.json: want a recipe and a loss for each of %d steps", name, g.Config.Steps)
	}
	data, err := fs.ReadFile(folder, name+".safetensors")
	if err != nil {
		return nil, err
	}
	h, err := safetensors.ReadHeader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("%s.safetensors: %w", name, err)
	}
	for _, e := range h.Tensors {
		v, err := values(e.DType, data[h.DataStart+e.Begin:h.DataStart+e.End])
		if err != nil {
			return nil, fmt.Errorf("%s.safetensors: %s: %w", name, e.Name, err)
		}
		g.tensors[e.Name] = v
	}
	return g, nil
}

func values(dtype string, raw []byte) ([]float64, error) {
	var v []float64
	switch dtype {
	case "F32":
		for ; len(raw) > 0; raw = raw[4:] {
			v = append(v, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw))))
		}
	case "F64":
		for ; len(raw) > 0; raw = raw[8:] {
			v = append(v, math.Float64frombits(binary.LittleEndian.Uint64(raw)))
		}
	case "I64":
		for ; len(raw) > 0; raw = raw[8:] {
			v = append(v, float64(int64(binary.LittleEndian.Uint64(raw))))
		}
	default:
		return nil, errors.New("dtype " + dtype + " is not expected in a golden")
	}
	return v, nil
}

// recordedParams are parameters, or one moment or gradient of each.
type recordedParams struct{ wEnc, bEnc, wDec, bDec []float64 } // [F,D] [F] [F,D] [D]

func (p recordedParams) each() [][]float64 { return [][]float64{p.wEnc, p.bEnc, p.wDec, p.bDec} }

// params reads one set of parameters; the recorded decoder is [D,F].
func (g *golden) params(prefix string) recordedParams {
	d, f := g.Config.ActivationDim, g.Config.DictSize
	p := recordedParams{
		wEnc: g.tensors[prefix+"encoder.weight"], bEnc: g.tensors[prefix+"encoder.bias"], bDec: g.tensors[prefix+"b_dec"],
	}
	if dec := g.tensors[prefix+"decoder.weight"]; dec != nil {
		p.wDec = make([]float64, f*d)
		for i, v := range dec {
			p.wDec[i%f*d+i/f] = v
		}
	}
	return p
}

func (g *golden) start() *trainer.State {
	s := trainer.NewState(g.config())
	w := g.params("init.")
	into(s.W.WEnc, w.wEnc)
	into(s.W.BEnc, w.bEnc)
	into(s.W.WDec, w.wDec)
	into(s.W.BDec, w.bDec)
	return s
}

func into(dst []float32, src []float64) {
	for i := range dst {
		dst[i] = float32(src[i])
	}
}

// data are the recorded batches.
func (g *golden) data() trainer.Batches {
	return batches{g.Config.ActivationDim, func(_, step int64, x []float32) error {
		into(x, g.tensors["x"][int(step)*len(x):])
		return nil
	}}
}

func (g *golden) run(t *testing.T, b trainer.Backend) {
	c := g.config()
	m := model(t, b, c, g.start(), g.data())
	step := -1
	for st, err := range m.Steps(t.Context(), int64(c.Steps)) {
		if err != nil {
			t.Fatal(err)
		}
		step++
		for _, q := range []struct {
			name string
			got  float64
		}{
			{"loss", st.Loss}, {"l2_loss", st.L2Loss}, {"auxk_loss", st.AuxKLoss}, {"lr", st.LR},
			{"grad_norm", st.GradNorm}, {"threshold", st.Threshold},
		} {
			if want := g.F64[q.name]; len(want) > 0 && want[step] != nil {
				near(t, fmt.Sprintf("step %d: %s", step, q.name), q.got, *want[step], 1e-5)
			}
		}
		if want := g.F64["dead_features"][step]; want != nil && float64(st.Dead) != *want {
			t.Errorf("step %d: %d dead latents, want %v", step, st.Dead, *want)
		}
		if prefix := fmt.Sprintf("f64.step%d.", step); g.tensors[prefix+"b_dec"] != nil {
			g.compare(t, prefix, save(t, m, c))
		}
		if t.Failed() {
			t.FailNow() // what follows would only repeat it
		}
	}
	if step != c.Steps-1 {
		t.Errorf("the last step was %d, want %d", step, c.Steps-1)
	}
}

// compare holds weights and moments to 1e-4 of their scale. Where the recorded
// float32 run is itself further than half of that from the float64 one, twice
// its distance is the bound: in run clipped a bias has a gradient of about five
// times Adam's epsilon at step 0, and Adam's first step, g/(|g| + epsilon),
// shows the rounding of any float32 forward pass there.
func (g *golden) compare(t *testing.T, prefix string, s *trainer.State) {
	t.Helper()
	for i, p := range []trainer.Params{s.W, s.M, s.V} {
		prefix := prefix + []string{"", "exp_avg.", "exp_avg_sq."}[i]
		want, single := g.params(prefix), g.params("f32"+strings.TrimPrefix(prefix, "f64"))
		for j, got := range [][]float32{p.WEnc, p.BEnc, p.WDec, p.BDec} {
			want := want.each()[j]
			scale, rounding := largestOf(want), 0.0
			for k, v := range single.each()[j] {
				rounding = max(rounding, math.Abs(v-want[k]))
			}
			name := []string{"encoder.weight", "encoder.bias", "decoder.weight", "b_dec"}[j]
			nearAll(t, prefix+name, got, want, max(1e-4*scale, 2*rounding))
		}
	}
	for f, n := range g.tensors[prefix+"num_tokens_since_fired"] {
		if s.SinceFired[f] != int64(n) {
			t.Errorf("%slatent %d: %d tokens since fired, want %v", prefix, f, s.SinceFired[f], n)
		}
	}
}

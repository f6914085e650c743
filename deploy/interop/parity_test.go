// Package interop holds the program to the Python packages whose files it reads and writes. What is here runs in
// `make interop`, which installs those packages; tests of small files that they wrote are in trainer/models.
package interop

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
	"github.com/topksweep/sweep/trainer/plain"
	"github.com/topksweep/sweep/trainer/safetensors"
)

// TestParity trains what parity.py has recorded of dictionary_learning, from the same weights on the same batches, and
// leaves the losses for it. It is skipped where SWEEP_PARITY names no folder of records. A backend in float32 may part
// from float64 at a tie: where the k-th and the next activation of a row are nearer than float32 tells apart.
func TestParity(t *testing.T) {
	folder := os.Getenv("SWEEP_PARITY")
	if folder == "" {
		t.Skip("SWEEP_PARITY names no folder of records: make interop makes one")
	}
	records, err := filepath.Glob(filepath.Join(folder, "*.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if len(records) == 0 {
		t.Fatalf("%s holds no records", folder)
	}
	for _, record := range records {
		record = strings.TrimSuffix(record, ".safetensors")
		for _, b := range []trainer.Backend{plain.Backend{}, cpu.New(0)} {
			t.Run(filepath.Base(record)+"/"+b.Name(), func(t *testing.T) { train(t, record, b) })
		}
	}
}

// tie is the relative distance of two activations that float32 may order either way: its rounding in a sum of 384
// products, and what 200 steps add to it.
const tie = 2e-6

type losses struct {
	Loss []float64 `json:"loss"`
	Dead []int     `json:"dead_features"`
	Gap  []float64 `json:"gap,omitempty"` // relative, of the k-th and the next activation; the smallest of a batch
}

func train(t *testing.T, record string, b trainer.Backend) {
	var r struct {
		Config trainer.Config
		F64    losses
	}
	text, err := os.ReadFile(record + ".json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	r.Config.Precision = "f32"
	c := r.Config.Resolve()
	if bad := c.Validate(); len(bad) > 0 {
		t.Fatal(bad)
	}
	tensors := read(t, record+".safetensors")
	d := c.ActivationDim
	s := trainer.NewState(c)
	copy(s.W.WEnc, tensors["init.encoder.weight"])
	copy(s.W.BEnc, tensors["init.encoder.bias"])
	copy(s.W.BDec, tensors["init.b_dec"])
	for i, v := range tensors["init.decoder.weight"] { // [D,F] there
		s.W.WDec[i%c.DictSize*d+i/c.DictSize] = v
	}
	m, err := b.New(c, s, rows{d, tensors["x"]})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var got losses
	together := true
	for stats, err := range m.Steps(t.Context(), int64(c.Steps)) {
		if err != nil {
			t.Fatal(err)
		}
		step := len(got.Loss)
		got.Loss, got.Dead = append(got.Loss, stats.Loss), append(got.Dead, stats.Dead)
		same := math.Abs(stats.Loss-r.F64.Loss[step]) <= 1e-5*math.Abs(r.F64.Loss[step]) && stats.Dead == r.F64.Dead[step]
		switch {
		case same || !together:
		case b.Name() != "plain" && r.F64.Gap[step] <= tie:
			t.Logf("step %d: parts at a tie: two activations are %.1e apart", step, r.F64.Gap[step])
			together = false
		default:
			t.Errorf("step %d: loss %v and %d dead latents, want %v and %d", step, stats.Loss, stats.Dead,
				r.F64.Loss[step], r.F64.Dead[step])
			together = false
		}
	}
	if len(got.Loss) != c.Steps || len(r.F64.Loss) != c.Steps || len(r.F64.Dead) != c.Steps {
		t.Errorf("%d steps, and %d recorded, want %d", len(got.Loss), len(r.F64.Loss), c.Steps)
	}
	if slices.Max(r.F64.Dead) == 0 {
		t.Error("no latent ever dies: the record shows nothing of that")
	}
	text, err = json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(record+"."+b.Name()+".json", text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// read returns the tensors of a file, all of them in float32.
func read(t *testing.T, name string) map[string][]float32 {
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	h, err := safetensors.ReadHeader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	tensors := map[string][]float32{}
	for _, e := range h.Tensors {
		if e.DType != "F32" {
			t.Fatalf("%s: %s is %s, want F32", name, e.Name, e.DType)
		}
		v := make([]float32, e.Elems())
		copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 4*len(v)), data[h.DataStart+e.Begin:])
		tensors[e.Name] = v
	}
	return tensors
}

// rows are recorded batches, one after the other.
type rows struct {
	d int
	x []float32
}

func (r rows) Dim() int { return r.d }

func (r rows) Batch(_, step int64, x []float32) error {
	copy(x, r.x[int(step)*len(x):])
	return nil
}

func (r rows) Dataset() trainer.Dataset { return nil }

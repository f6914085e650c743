package models

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/topksweep/sweep/trainer"
)

// small returns a model of random numbers. Its rows of W_dec are at unit norm.
func small(d, f, k int) *Model {
	r := rand.New(rand.NewPCG(uint64(d), uint64(f)))
	m := &Model{ActivationDim: d, DictSize: f, K: k, W: trainer.NewParams(d, f)}
	m.W.Each(d, f, func(_ string, _ []int, v []float32) {
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
	})
	m.W.WDec, _ = trainer.UnitRows(m.W.WDec, d)
	return m
}

// folder returns the files of a model as a folder.
func folder(t testing.TB, m *Model, formats ...Format) fstest.MapFS {
	t.Helper()
	files, err := Files(m, formats...)
	if err != nil {
		t.Fatal(err)
	}
	out := fstest.MapFS{}
	for _, f := range files {
		b, err := io.ReadAll(io.NewSectionReader(f.Body, 0, f.Size))
		if err != nil || int64(len(b)) != f.Size {
			t.Fatalf("%s: %d bytes of %d, %v", f.Name, len(b), f.Size, err)
		}
		if out[f.Name] != nil {
			t.Fatalf("%s is there twice", f.Name)
		}
		out[f.Name] = &fstest.MapFile{Data: b}
	}
	return out
}

// A model that is written and read again is the same, bit for bit, whatever the format.
func TestRoundTrip(t *testing.T) {
	yes, no, layer, threshold := true, false, 5, 0.25
	names := []trainer.Names{{}, {
		LMName: "org/a|b <&\"' 模型", Layer: &layer, SubmoduleName: "resid_post", HookName: "blocks.5.hook_resid_post",
		ModulePath: "h.5", ContextLength: 128, PrependBOS: &yes, DropSpecial: &no,
	}, {ModulePath: "h.5.mlp"}, {HookName: "transformer.h.5.mlp", ModulePath: "h.5.mlp"}}
	for _, format := range Formats() {
		for _, size := range [][3]int{{1, 1, 1}, {3, 5, 2}, {8, 32, 4}, {33, 70, 70}} {
			for i, n := range names {
				t.Run(fmt.Sprint(format, size, i), func(t *testing.T) {
					m := small(size[0], size[1], size[2])
					m.Names = n
					if i == 1 {
						m.Threshold, m.Scale, m.Metadata = &threshold, 1.5, map[string]string{"sweep.cell": "abc"}
					}
					got, from, err := Read(folder(t, m, format))
					if err != nil {
						t.Fatal(err)
					}
					if !reflect.DeepEqual(got, m) {
						got.W, m.W = trainer.Params{}, trainer.Params{} // too long to print
						t.Errorf("read from %s another model than was written (all but the weights: %+v, %+v)", from, got, m)
					}
				})
			}
		}
	}
}

// SAELens takes the hook's name for one of the class of models that its metadata names.
func TestSAELensHook(t *testing.T) {
	layer := 5
	for _, c := range []struct {
		names       trainer.Names
		hook, class any
		card        string
	}{
		{trainer.Names{}, nil, "HookedTransformer", ""},
		{trainer.Names{Layer: &layer, SubmoduleName: "mlp_out", ModulePath: "h.5.mlp"}, "blocks.5.hook_mlp_out",
			"HookedTransformer", "| hook in TransformerLens | blocks.5.hook_mlp_out |"},
		{trainer.Names{HookName: "transformer.h.5.mlp", ModulePath: "h.5.mlp"}, "transformer.h.5.mlp",
			"AutoModelForCausalLM", "| hook in SAELens | transformer.h.5.mlp |"},
		// The path in the model without its head would name no module there.
		{trainer.Names{ModulePath: "h.5.mlp"}, nil, "HookedTransformer", "| module | h.5.mlp |"},
	} {
		m := small(3, 5, 2)
		m.Names = c.names
		files := folder(t, m, SAELens)
		var cfg struct{ Metadata map[string]any }
		if err := json.Unmarshal(files["cfg.json"].Data, &cfg); err != nil {
			t.Fatal(err)
		}
		got := cfg.Metadata
		if got["hook_name"] != c.hook || got["model_class_name"] != c.class ||
			!strings.Contains(string(files["README.md"].Data), c.card) {
			t.Errorf("%+v: hook %v of %v\n%s", c.names, got["hook_name"], got["model_class_name"], files["README.md"].Data)
		}
	}
}

// However a body is read, the bytes are the same.
func TestBodies(t *testing.T) {
	m := small(37, 129, 3)
	files, err := Files(m, Formats()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		whole, err := io.ReadAll(io.NewSectionReader(f.Body, 0, f.Size))
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(1, 2))
		for range 2000 {
			off := r.Int64N(f.Size + 10)
			p := make([]byte, r.IntN(700))
			n, err := f.Body.ReadAt(p, off)
			want := whole[min(off, f.Size):min(off+int64(len(p)), f.Size)]
			if n != len(want) || !bytes.Equal(p[:n], want) || (err == io.EOF) != (n < len(p)) || err != nil && err != io.EOF {
				t.Fatalf("%s: %d bytes at %d of %d: %d, %v", f.Name, len(p), off, f.Size, n, err)
			}
		}
		if _, err := f.Body.ReadAt(make([]byte, 1), -1); err == nil {
			t.Errorf("%s: read at a negative offset", f.Name)
		}
	}
}

// A model that is broken, or a format that is none, is not written.
func TestBadModels(t *testing.T) {
	negative, nan := -1.0, float32(math.NaN())
	for name, change := range map[string]func(m *Model) []Format{
		"a format":       func(*Model) []Format { return []Format{Sparsify, "none"} },
		"no format":      func(*Model) []Format { return nil },
		"k":              func(m *Model) []Format { m.K = 33; return Formats() },
		"no k":           func(m *Model) []Format { m.K = 0; return Formats() },
		"a width":        func(m *Model) []Format { m.ActivationDim = 7; return Formats() },
		"a large width":  func(m *Model) []Format { m.ActivationDim = 1 << 40; return Formats() },
		"latents":        func(m *Model) []Format { m.DictSize = -1; return Formats() },
		"a NaN":          func(m *Model) []Format { m.W.BEnc[31] = nan; return Formats() },
		"an infinity":    func(m *Model) []Format { m.W.WDec[0] = float32(math.Inf(-1)); return Formats() },
		"a threshold":    func(m *Model) []Format { m.Threshold = &negative; return Formats() },
		"a scale":        func(m *Model) []Format { m.Scale = -1; return Formats() },
		"no weights":     func(m *Model) []Format { m.W.WEnc = nil; return Formats() },
		"a scale of NaN": func(m *Model) []Format { m.Scale = math.NaN(); return Formats() },
	} {
		m := small(8, 32, 4)
		formats := change(m)
		if files, err := Files(m, formats...); err == nil {
			t.Errorf("%s: %d files", name, len(files))
		}
	}
}

package data

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s has changed (-update writes it anew). Got:\n%s", path, got)
	}
}

// Files that NumPy and the safetensors library wrote, in all dtypes, give the recorded
// rows in the recorded order. A change of them changes the data of every run, and needs
// a new trainer.SemanticsVersion.
func TestGolden(t *testing.T) {
	s := open(t, trainer.DataSpec{Source: "testdata/tiny", EvalTokens: 4}, Options{})
	var b strings.Builder
	show := func(name string, x []float32, err error) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n", name)
		for i := 0; i < len(x); i += 4 {
			fmt.Fprintf(&b, "  %v\n", x[i:i+4])
			if r := x[i] - 0.25; x[i+1] != r+0.5 || x[i+2] != r+0.75 || x[i+3] != r+1 {
				t.Errorf("%v is none of the rows", x[i:i+4])
			}
		}
	}
	i := s.Info()
	fmt.Fprintf(&b, "%d rows, %d held out, width %d, %s, %d shards, %d bytes, scale %v\nmean norm %.9g\nfingerprint %s\n",
		i.Rows, i.EvalRows, i.Dim, i.DType, i.Shards, i.Bytes, i.Scale, i.MeanNorm, i.Fingerprint)
	x := make([]float32, 4*4)
	show("held out", x, s.Eval(0, x))
	x = make([]float32, 5*4)
	for step := range int64(7) { // ends in the second epoch
		show(fmt.Sprintf("seed 7 step %d", step), x, s.Batch(7, step, x))
	}
	golden(t, "tiny.txt", b.String())
}

// rowsOf returns the numbers of the rows in x, which are rows of numbered.
func rowsOf(x []float32, dim int) (rows []int) {
	for i := 0; i < len(x); i += dim {
		rows = append(rows, int(x[i]))
	}
	return rows
}

func TestEpochs(t *testing.T) {
	const rows, dim, eval = 103, 3, 10
	m := memory{
		"a.safetensors": tensorFile(t, dim, numbered(0, 60, dim)),
		"b.safetensors": tensorFile(t, dim, numbered(60, 43, dim)),
	}
	s := m.open(t, trainer.DataSpec{EvalTokens: eval})
	held := make([]float32, eval*dim)
	if err := s.Eval(0, held); err != nil {
		t.Fatal(err)
	}
	heldRows := rowsOf(held, dim)
	slices.Sort(heldRows)
	if len(slices.Compact(heldRows)) != eval {
		t.Fatalf("held out: %v", heldRows)
	}

	stream := make([]float32, 3*(rows-eval)*dim)
	if err := s.Tokens(5, 0, stream); err != nil {
		t.Fatal(err)
	}
	order := rowsOf(stream, dim)
	for e := range 3 {
		epoch := slices.Clone(order[e*(rows-eval):][:rows-eval])
		if e > 0 && slices.Equal(epoch, order[:rows-eval]) {
			t.Errorf("epoch %d has the order of epoch 0", e)
		}
		epoch = append(epoch, heldRows...)
		slices.Sort(epoch)
		for i, r := range epoch {
			if r != i {
				t.Fatalf("epoch %d and the held-out rows are not each row once: %v", e, epoch)
			}
		}
	}

	// Batches of any size are parts of the same stream, across epochs. They may be read in
	// any order.
	for _, b := range []int{1, 7, 50, 93, 200} {
		x := make([]float32, b*dim)
		for step := len(stream)/len(x) - 1; step >= 0; step-- {
			if err := s.Batch(5, int64(step), x); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(x, stream[step*len(x):][:len(x)]) {
				t.Fatalf("batch of %d at step %d is not that part of the stream", b, step)
			}
		}
	}
	other := make([]float32, len(stream))
	if err := s.Tokens(6, 0, other); err != nil || slices.Equal(stream, other) {
		t.Errorf("seed 6 gives the order of seed 5: %v", err)
	}
}

func TestEvalTokens(t *testing.T) {
	m := func(rows int) memory { return memory{"a.safetensors": tensorFile(t, 1, numbered(0, rows, 1))} }
	for _, tt := range []struct {
		rows       int
		spec, want int64
	}{{10, 0, 1}, {2000, 0, 200}, {700_000, 0, 65536}, {100, 99, 99}, {100, 1, 1}, {2, 1, 1}} {
		s := m(tt.rows).open(t, trainer.DataSpec{EvalTokens: tt.spec})
		if s.EvalRows() != tt.want {
			t.Errorf("eval_tokens %d of %d rows holds out %d, want %d", tt.spec, tt.rows, s.EvalRows(), tt.want)
		}
		if err := s.Eval(tt.want, make([]float32, 1)); err == nil {
			t.Errorf("%d rows: reads past the held-out rows", tt.rows)
		}
		x := make([]float32, 3)
		if err := s.Batch(0, 12345, x); err != nil {
			t.Error(err)
		}
	}
}

func TestBadSpecs(t *testing.T) {
	m := memory{
		"a.safetensors": tensorFile(t, 4, numbered(0, 5, 4)),
		"b.safetensors": tensorFile(t, 4, numbered(5, 5, 4)),
	}
	nine := memory{"a.safetensors": tensorFile(t, 4, numbered(0, 9, 4))}
	zero := memory{"a.safetensors": tensorFile(t, 4, make([]float32, 40))}
	good := trainer.Synthetic{ActivationDim: 4, Directions: 8, Tokens: 100, Active: 2, Zipf: 1, Noise: 0.1}
	with := func(change func(s *trainer.Synthetic)) trainer.DataSpec {
		s := good
		change(&s)
		return trainer.DataSpec{Synthetic: &s}
	}
	for _, tt := range []struct {
		files opener
		spec  trainer.DataSpec
		want  string
	}{
		{nine, trainer.DataSpec{Source: "x"},
			"data x: eval_tokens: auto holds out a tenth of the rows, and a tenth of 9 is none: give at least 10 rows"},
		{m, trainer.DataSpec{Source: "x", EvalTokens: 10},
			"data x: eval_tokens: holding out 10 of 10 rows leaves none to train on"},
		{m, trainer.DataSpec{Source: "x", EvalTokens: 11}, "holding out 11 of 10 rows"},
		{m, trainer.DataSpec{Source: "x", EvalTokens: -1}, "eval_tokens: -1 is negative"},
		{m, trainer.DataSpec{Source: "x", Normalize: "l2"}, `normalize: "l2" is neither none nor mean_square`},
		{zero, trainer.DataSpec{Source: "x", Normalize: "mean_square"}, "mean squared norm is 0"},
		{m, trainer.DataSpec{}, "neither source nor synthetic"},
		{m, trainer.DataSpec{Source: "x", Synthetic: &good}, "both source and synthetic"},
		{memory{}, trainer.DataSpec{Source: "x"}, "data x: holds no shards"},
		{m, with(func(s *trainer.Synthetic) { s.ActivationDim = 0 }), "synthetic.activation_dim: 0 is outside"},
		{m, with(func(s *trainer.Synthetic) { s.Directions = 0 }), "synthetic.directions: 0 is outside"},
		{m, with(func(s *trainer.Synthetic) { s.Directions = 1 << 30 }),
			"synthetic.directions: 1073741824 is outside [1, 536870912]"},
		{m, with(func(s *trainer.Synthetic) { s.Tokens = 0 }), "synthetic.tokens: 0 is outside"},
		{m, with(func(s *trainer.Synthetic) { s.Active = 0 }), "synthetic.active: 0 is outside"},
		{m, with(func(s *trainer.Synthetic) { s.Active = 9 }), "synthetic.active: 9 is outside (0, 8]"},
		{m, with(func(s *trainer.Synthetic) { s.Active = math.NaN() }), "synthetic.active: NaN"},
		{m, with(func(s *trainer.Synthetic) { s.Zipf = -1 }), "synthetic.zipf: -1"},
		{m, with(func(s *trainer.Synthetic) { s.Noise = math.Inf(1) }), "synthetic.noise: +Inf"},
	} {
		_, err := openFrom(t.Context(), tt.files, tt.spec, Options{})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.Is(err, ErrBad) {
			t.Errorf("%+v: %v, want %q", tt.spec, err, tt.want)
		}
	}
}

func TestNormalize(t *testing.T) {
	const rows, dim = 1000, 8
	m := memory{"a.safetensors": tensorFile(t, dim, numbered(1, rows, dim))}
	plain := m.open(t, trainer.DataSpec{Normalize: "none", EvalTokens: 100})
	s := m.open(t, trainer.DataSpec{Normalize: "mean_square", EvalTokens: 100})
	x, y := make([]float32, 900*dim), make([]float32, 900*dim)
	if err := errors.Join(s.Batch(1, 0, x), plain.Batch(1, 0, y)); err != nil {
		t.Fatal(err)
	}
	square := 0.0
	for i, v := range x {
		square += float64(v) * float64(v)
		if v != y[i]*float32(s.Info().Scale) {
			t.Fatalf("%v is not %v times %v", v, y[i], s.Info().Scale)
		}
	}
	if !(math.Abs(square/900-1) < 1e-6) {
		t.Errorf("mean squared norm of the training rows is %v", square/900)
	}
	if i := plain.Info(); i.Scale != 1 || i.MeanNorm != s.Info().MeanNorm || i.Fingerprint == s.Info().Fingerprint {
		t.Errorf("none: %+v, mean_square: %+v", i, s.Info())
	}
	err := errors.Join(s.Eval(3, x[:dim]), plain.Eval(3, y[:dim]))
	if err != nil || x[5] != y[5]*float32(s.Info().Scale) {
		t.Errorf("held-out rows are not scaled: %v", err)
	}
}

// The info and the rows do not depend on the number of goroutines, nor on whether files
// are mapped.
func TestSameBits(t *testing.T) {
	const rows, dim = 20_000, 5
	dir := t.TempDir()
	for i := range 4 {
		write(t, dir, fmt.Sprintf("s%d.safetensors", i), tensorFile(t, dim, numbered(i*rows/4, rows/4, dim)))
	}
	spec := trainer.DataSpec{Source: dir, Normalize: "mean_square"}
	one := open(t, spec, Options{Workers: 1})
	want := make([]float32, 30_000*dim)
	if err := one.Tokens(3, 0, want); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files opener
		o     Options
	}{"8 workers": {localFiles{}, Options{Workers: 8}}, "not mapped": {unmapped{}, Options{}}} {
		s := openWith(t, c.files, spec, c.o)
		if !reflect.DeepEqual(s.Info(), one.Info()) {
			t.Errorf("%s: %+v, want %+v", name, s.Info(), one.Info())
		}
		got := make([]float32, len(want))
		var wg sync.WaitGroup
		const part = 1250
		for i := int64(0); i < 30_000; i += part {
			wg.Go(func() {
				if err := s.Tokens(3, i, got[i*dim:][:part*dim]); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if !slices.Equal(got, want) {
			t.Errorf("%s: other rows", name)
		}
	}
}

type unmapped struct{ localFiles }

func (unmapped) Open(_ context.Context, name string) (shardFile, error) {
	f, err := openPlain(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func TestBatchAllocatesNothing(t *testing.T) {
	for name, spec := range map[string]trainer.DataSpec{
		"shards":    {Source: "testdata/tiny"},
		"synthetic": {Synthetic: &trainer.Synthetic{ActivationDim: 4, Directions: 8, Tokens: 100, Active: 2, Noise: 0.1}},
	} {
		s := open(t, spec, Options{})
		x := make([]float32, 64*4)
		var err error
		allocs := testing.AllocsPerRun(100, func() {
			if e := s.Batch(1, 9, x); e != nil {
				err = e
			}
		})
		if err != nil || allocs >= 1 { // the collector may empty the pool once
			t.Errorf("%s: %v allocations a batch, %v", name, allocs, err)
		}
	}
}

func TestReadArguments(t *testing.T) {
	s := open(t, trainer.DataSpec{Source: "testdata/tiny", EvalTokens: 3}, Options{})
	for name, err := range map[string]error{
		"half a row":        s.Batch(0, 0, make([]float32, 6)),
		"half an eval row":  s.Eval(0, make([]float32, 6)),
		"negative step":     s.Batch(0, -1, make([]float32, 4)),
		"negative eval row": s.Eval(-1, make([]float32, 4)),
		"past the eval end": s.Eval(2, make([]float32, 8)),
	} {
		if err == nil {
			t.Errorf("%s is no error", name)
		}
	}
}

func TestOpenIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, spec := range []trainer.DataSpec{
		{Source: "testdata/tiny"},
		{Synthetic: &trainer.Synthetic{ActivationDim: 4, Directions: 8, Tokens: 100, Active: 2}},
	} {
		if _, err := Open(ctx, spec, Options{}); !errors.Is(err, context.Canceled) || errors.Is(err, ErrBad) {
			t.Errorf("open: %v", err)
		}
	}
	if _, err := Inspect(ctx, trainer.DataSpec{Source: "testdata/tiny"}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("inspect: %v", err)
	}
}

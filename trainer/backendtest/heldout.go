package backendtest

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// held is Data with rows that are held out.
type held struct {
	trainer.Batches
	d, rows int
	err     error // of reading them
}

func (h *held) EvalRows() int64 { return int64(h.rows) }

func (h *held) Eval(row int64, x []float32) error {
	all := make([]float32, h.rows*h.d)
	fillSparse(h.d, 99, 0, all)
	copy(x, all[int(row)*h.d:])
	return h.err
}

// late returns the state that runs with held-out points begin with here. No point is before step 128, and emulated
// devices are slow: so the steps before it are left out, as if they had changed nothing.
func late(c trainer.Config) *trainer.State {
	s := trainer.Init(c)
	s.Step = 120
	return s
}

// heldOut checks the held-out points of the loss curve: each is what Evaluate says of the model before its step, they
// change no bit of training, and they do not depend on where a run was stopped.
func heldOut(t *testing.T, b trainer.Backend) {
	for _, recipe := range recipes() {
		t.Run(recipe, func(t *testing.T) {
			c := config(recipe)
			c.Steps = 200
			data := &held{Batches: Data(c), d: c.ActivationDim, rows: 24}
			heldOutPoints(t, b, c, data)
			without, want := run(t, b, c, Data(c), late(c), 200)
			with, curve := run(t, b, c, data, late(c), 200)
			SameState(t, c, with, without)
			for i := range curve {
				want[i].EvalNMSE = curve[i].EvalNMSE
			}
			if !reflect.DeepEqual(curve, want) {
				t.Error("the other numbers of the curve are not those of a run without held-out points")
			}
			s := late(c)
			var got []trainer.Point
			for _, stop := range []int64{127, 128, 129, 192, 200} {
				s, got = run(t, b, c, data, s, stop)
			}
			if !reflect.DeepEqual(got, curve) {
				t.Error("stopped and gone on with: another curve")
			}
			SameState(t, c, s, without)
		})
	}
	t.Run("unreadable", func(t *testing.T) {
		c := config("corrected")
		c.Steps = 200
		data := &held{Batches: Data(c), d: c.ActivationDim, rows: 24, err: errRead}
		l, err := trainer.Start(b, c, late(c), data)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		err = l.Run(t.Context(), 200, func(int64, trainer.Stats) error { return nil })
		if !errors.Is(err, errRead) || l.Step() != 128 {
			t.Errorf("error %v at step %d", err, l.Step())
		}
		data.err = nil
		if err := l.Run(t.Context(), 200, func(int64, trainer.Stats) error { return nil }); err != nil {
			t.Errorf("going on: %v", err)
		}
	})
}

// run trains a loop from s to a step, and returns its state and its curve.
func run(
	t *testing.T, b trainer.Backend, c trainer.Config, data trainer.Batches, s *trainer.State, to int64,
) (*trainer.State, []trainer.Point) {
	t.Helper()
	l, err := trainer.Start(b, c, s, data)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Run(t.Context(), to, func(int64, trainer.Stats) error { return nil }); err != nil {
		t.Fatal(err)
	}
	out := trainer.NewState(c)
	if err := l.Save(out); err != nil {
		t.Fatal(err)
	}
	return out, out.Curve
}

// heldOutData are batches with held-out rows.
type heldOutData interface {
	trainer.Batches
	trainer.HeldOut
}

// HeldOutPoints checks that held-out points are what Evaluate measures.
func HeldOutPoints(t *testing.T, b trainer.Backend) {
	for _, recipe := range recipes() {
		c := config(recipe)
		c.Steps = 200
		heldOutPoints(t, b, c, &held{Batches: Data(c), d: c.ActivationDim, rows: 24})
	}
}

// heldOutPoints compares the held-out points of a run with what Evaluate measures of the same model at those steps. A
// point is of all held-out rows: they are few.
func heldOutPoints(t *testing.T, b trainer.Backend, c trainer.Config, data heldOutData) {
	t.Helper()
	want := map[int64]float64{}
	m := model(t, b, c, late(c), data)
	for done := late(c).Step; done < int64(c.Steps); done++ {
		if trainer.OnHeldOut(done, c.BatchSize, data.EvalRows()) {
			metrics, err := trainer.Evaluate(t.Context(), m, c, save(t, m, c), data)
			if err != nil {
				t.Fatal(err)
			}
			want[done] = *metrics.NMSE
		}
		if _, err := step(t, m, done); err != nil {
			t.Fatal(err)
		}
	}
	if len(want) < 2 {
		t.Fatalf("%d points: the case is too easy", len(want))
	}
	_, curve := run(t, b, c, data, late(c), int64(c.Steps))
	for _, p := range curve {
		w, ok := want[p.Step]
		if (p.EvalNMSE != nil) != ok || ok && math.Float64bits(*p.EvalNMSE) != math.Float64bits(w) {
			t.Errorf("step %d: nmse %v, want %v (%v)", p.Step, p.EvalNMSE, w, ok)
		}
		delete(want, p.Step)
	}
	if len(want) > 0 {
		t.Errorf("points are missing: %v", want)
	}
}

// DecoderRows checks the rows of W_dec that a model gives.
func DecoderRows(t *testing.T, b trainer.Backend) {
	for _, d := range []int{1, 13, 20, 64} {
		c := config("corrected")
		c.ActivationDim = d
		s := trainer.Init(c)
		integers(s.W.WDec, 1, 100)
		integers(s.W.BDec, 2, 100)
		m := model(t, b, c, s, nil)
		all := make([]int32, c.DictSize)
		for f := range all {
			all[f] = int32(f)
		}
		for _, latents := range [][]int32{nil, {0}, {int32(c.DictSize) - 1, 3}, all} {
			rows, bDec := make([]float32, len(latents)*d), make([]float32, d)
			if err := m.DecoderRows(latents, rows, bDec); err != nil {
				t.Fatal(err)
			}
			for i, f := range latents {
				if want := s.W.WDec[int(f)*d : (int(f)+1)*d]; !slices.Equal(rows[i*d:(i+1)*d], want) {
					t.Fatalf("width %d: row of latent %d is %v, want %v", d, f, rows[i*d:(i+1)*d], want)
				}
			}
			if !slices.Equal(bDec, s.W.BDec) {
				t.Errorf("width %d: b_dec is %v, want %v", d, bDec, s.W.BDec)
			}
		}
		SameState(t, c, save(t, m, c), s)
		row, bDec := make([]float32, d), make([]float32, d)
		for name, err := range map[string]error{
			"a latent below 0":           m.DecoderRows([]int32{-1}, row, bDec),
			"a latent that is not there": m.DecoderRows([]int32{int32(c.DictSize)}, row, bDec),
			"room for no row":            m.DecoderRows([]int32{0}, row[:0], bDec),
			"room for too many rows":     m.DecoderRows(nil, row, bDec),
			"no room for b_dec":          m.DecoderRows([]int32{0}, row, bDec[:d-1]),
		} {
			if err == nil {
				t.Errorf("width %d, %s: no error", d, name)
			}
		}
		if h := m.Hardware(); h.Class == "" || h != m.Hardware() {
			t.Errorf("hardware %+v, then %+v", h, m.Hardware())
		}
	}
}

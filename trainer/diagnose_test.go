package trainer_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

// stored is noise with numbered rows that know their places. One of them is spoilt.
type stored struct {
	noise
	row   int // that is spoilt, in step 2 or of the held-out rows
	value float32
}

func (s *stored) Batch(seed, step int64, x []float32) error {
	s.noise.Batch(seed, step, x)
	if step == 2 {
		x[s.row*s.d+1] = s.value
	}
	return nil
}

func (s *stored) Eval(row int64, x []float32) error {
	s.noise.Eval(row, x)
	if at := (s.row-int(row))*s.d + 1; at >= 0 && at < len(x) {
		x[at] = s.value
	}
	return nil
}

func (s *stored) Dataset() trainer.Dataset         { return s }
func (s *stored) Identity() string                 { return "" }
func (s *stored) Rows() int64                      { return 1 << 40 }
func (s *stored) Format() trainer.Format           { return trainer.Format{Type: trainer.F32, Scale: 1} }
func (s *stored) ReadStored([]int64, []byte) error { return errors.New("not read") }
func (s *stored) Locate(row int64) string          { return fmt.Sprintf("shard a, row %d", row) }
func (s *stored) LocateEval(row int64) string      { return fmt.Sprintf("shard b, row %d", row+100) }
func (s *stored) BatchRows(_, step int64, rows []int64) error {
	for i := range rows {
		rows[i] = 1000*step + int64(i)
	}
	return nil
}

// The message about a number that is not finite says in which row of which file it is.
func TestNumericErrorNamesTheRow(t *testing.T) {
	c := config(t, nil)
	for value, want := range map[float64]string{
		math.NaN():   "step 2: row 7 of the batch (shard a, row 2007) has NaN in column 1: leave such rows out",
		math.Inf(-1): "step 2: row 7 of the batch (shard a, row 2007) has -Inf in column 1: leave such rows out",
		3e38:         "step 2: row 7 of the batch (shard a, row 2007) has 3e+38 in column 1: float32 arithmetic overflows",
	} {
		l, err := trainer.Start(cpu.New(2), c, trainer.Init(c), &stored{noise{d: c.ActivationDim}, 7, float32(value)})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		err = l.Run(t.Context(), 30, func(int64, trainer.Stats) error { return nil })
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v: error %v\nwant  %s", value, err, want)
		}
	}
}

// Evaluation names the held-out row, and not its place in a group of rows.
func TestEvaluateNamesTheRow(t *testing.T) {
	c := config(t, nil)
	s := trainer.Init(c)
	for i := range s.W.WEnc {
		s.W.WEnc[i] *= 1e3
	}
	m, err := cpu.New(2).New(c, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, row := range []int{0, 63, 1024, 2500} {
		for value, want := range map[float64]string{
			math.NaN(): "has NaN in column 1: leave such rows out",
			3e38:       "has 3e+38 in column 1: float32 arithmetic overflows",
		} {
			data := &stored{noise{d: c.ActivationDim, rows: 2501}, row, float32(value)}
			_, err := trainer.Evaluate(t.Context(), m, c, s, data)
			want := fmt.Sprintf("evaluate: step 0: held-out row %d (shard b, row %d) %s", row, row+100, want)
			if numeric := (*trainer.NumericError)(nil); !errors.As(err, &numeric) || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%v: error %v\nwant  %s", value, err, want)
			}
		}
	}
}

// A run that diverges asks for a lower lr, also where it goes on from a checkpoint. Bad
// data do not.
func TestDivergedRunNamesTheRate(t *testing.T) {
	for _, r := range trainer.Recipes() {
		c := config(t, func(c *trainer.Config) { c.Recipe, c.LR = r.Name, 1e37 })
		l, err := trainer.Start(cpu.New(2), c, trainer.Init(c), &noise{d: c.ActivationDim})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		s := trainer.NewState(c)
		err = l.Run(t.Context(), 30, func(int64, trainer.Stats) error { return l.Save(s) })
		last := s.Curve[len(s.Curve)-1].Loss
		want := fmt.Sprintf("the run has diverged; the last finite loss was %.4g, in step %d", last, s.Step-1)
		if err == nil || !strings.Contains(err.Error(), want) ||
			!strings.HasSuffix(err.Error(), "and lr was 1e+37: lower lr?") {
			t.Fatalf("%s: error %v\nwant  %s", r.Name, err, want)
		}
		again, err2 := trainer.Start(cpu.New(2), c, s, &noise{d: c.ActivationDim})
		if err2 != nil {
			t.Fatal(err2)
		}
		defer again.Close()
		err2 = again.Run(t.Context(), 30, func(int64, trainer.Stats) error { return nil })
		if err2 == nil || err2.Error() != err.Error() {
			t.Errorf("%s: from a checkpoint: %v\nwant %v", r.Name, err2, err)
		}
	}
}

// scaled is noise in units of its own.
type scaled struct {
	noise
	by float32
}

func (s *scaled) Batch(seed, step int64, x []float32) error {
	err := s.noise.Batch(seed, step, x)
	for i := range x {
		x[i] *= s.by
	}
	return err
}

// Numbers that are too large for float32 arithmetic end a run with an error about them.
// Before that, a step of Adam with a second moment of 0 made weights a million times as
// large, and the run went on with them. Numbers that are too small are named too, where they
// end a run. lr is not at fault.
func TestSizesOfNumbers(t *testing.T) {
	for _, r := range trainer.Recipes() {
		for power := -44; power <= 38; power++ {
			c := config(t, func(c *trainer.Config) { c.Recipe, c.DeadFeatureThreshold = r.Name, 1 })
			data := &scaled{noise{d: c.ActivationDim}, float32(math.Pow(10, float64(power)))}
			l, err := trainer.Start(cpu.New(2), c, trainer.Init(c), data)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			first, last := 0.0, 0.0
			err = l.Run(t.Context(), 10, func(done int64, s trainer.Stats) error {
				if last = s.L2Loss; done == 1 {
					first = last
				}
				return nil
			})
			switch {
			case err != nil && power > 6 && strings.Contains(err.Error(), "float32 arithmetic overflows with numbers as large"):
			case err != nil && power < -6 && strings.Contains(err.Error(), "is too small to train on; set normalize"):
			case err != nil:
				t.Errorf("%s, 1e%d: %v", r.Name, power, err)
			case power > 0 && !(last < 2*first):
				t.Errorf("%s, 1e%d: loss %g after 10 steps, %g after the first", r.Name, power, last, first)
			}
		}
	}
}

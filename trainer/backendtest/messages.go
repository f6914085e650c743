package backendtest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// Messages checks what a run says that meets a number that is not finite: the same on
// every backend.
func Messages(t *testing.T, b trainer.Backend) {
	const rows, d = 64, 4
	small := func(recipe string) trainer.Config {
		c := config(recipe)
		c.ActivationDim, c.DictSize, c.K, c.KAux, c.BatchSize, c.DeadFeatureThreshold = d, 24, 2, 2, rows, 100
		return c
	}
	spoilt := func(c trainer.Config, step int64, spoil func(x []float32)) trainer.Batches {
		return batches{d, func(_, s int64, x []float32) error {
			Batch(c, s, x)
			if s == step {
				spoil(x)
			}
			return nil
		}}
	}
	for _, recipe := range recipes() {
		for _, row := range []int{0, 17, rows - 1} {
			for _, at := range []int64{0, 2} {
				c := small(recipe)
				_, err := loop(t, b, c, 3, spoilt(c, at, func(x []float32) {
					x[row*d+3] = float32(math.NaN())
					x[(rows-1)*d+3] = float32(math.Inf(-1))
				}))
				value := "NaN"
				if row == rows-1 {
					value = "-Inf"
				}
				says(t, err, fmt.Sprintf(
					"step %d: row %d of the batch has %s in column 3: leave such rows out when you write shards", at, row, value))
			}
		}
		c := small(recipe)
		if _, err := loop(t, b, c, 3, spoilt(c, 1, func(x []float32) { x[5*d+2] = -3e38 })); err != nil {
			says(t, err, "step 1: row 5 of the batch has -3e+38 in column 2: float32 arithmetic overflows with numbers as "+
				"large as that; set normalize to mean_square, or leave such rows out (data.max_norm)")
		}
		c.LR = 1e36
		if _, err := loop(t, b, c, 30, Data(c)); err != nil {
			for _, part := range []string{"the last finite loss was ", "and lr was 1e+36: lower lr?"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s: a run with lr 1e36 ends with %q, want one that says %q", recipe, err, part)
				}
			}
		}
	}
	nearlyConstant(t, b, small("reference"))
	const (
		divides = ": the AuxK loss is not finite: recipe reference divides by the variance of each dimension " +
			"in the batch, and "
		instead = ": use another recipe, or leave such dimensions out of the data"
	)
	for name, v := range map[string]struct {
		constant []int
		batch    int
		says     string
	}{
		"one":                {[]int{2}, 64, "dimension 2 is constant there" + instead},
		"two":                {[]int{0, 3}, 64, "dimensions 0, 3 are constant there" + instead},
		"a batch of one row": {nil, 1, "a batch of one row has none: raise batch_size, or use another recipe"},
	} {
		for _, recipe := range recipes() {
			c := small(recipe)
			c.BatchSize = v.batch
			c.DeadFeatureThreshold = 5 * int64(v.batch)
			step, err := loop(t, b, c, 40, batches{d, func(_, s int64, x []float32) error {
				Batch(c, s, x)
				for at := 0; at < len(x); at += d {
					for _, j := range v.constant {
						x[at+j] = 0.1
					}
				}
				return nil
			}})
			switch {
			case recipe == "reference":
				says(t, err, fmt.Sprint("step ", step, divides, v.says))
			case err != nil:
				t.Errorf("%s, %s: %v", name, recipe, err)
			}
		}
	}
}

// nearlyConstant checks the message about a dimension that hardly varies, where that is
// too much for float32.
func nearlyConstant(t *testing.T, b trainer.Backend, c trainer.Config) {
	d := c.ActivationDim
	_, err := loop(t, b, c, 40, batches{d, func(_, s int64, x []float32) error {
		Batch(c, s, x)
		for at := 0; at < len(x); at += d {
			x[at+1] *= 1e-30
		}
		return nil
	}})
	const want = "dimension 1 is nearly constant there: use another recipe, or leave such dimensions out of the data"
	if err != nil && !strings.HasSuffix(err.Error(), want) {
		t.Errorf("error %v\nwant  … %s", err, want)
	}
}

// loop trains to step to as a sweep does, and returns the steps done and the error.
func loop(t *testing.T, b trainer.Backend, c trainer.Config, to int64, data trainer.Batches) (int64, error) {
	t.Helper()
	l, err := trainer.Start(b, c, trainer.Init(c), data)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = l.Run(t.Context(), to, func(int64, trainer.Stats) error { return nil })
	return l.Step(), err
}

// says checks that err is a NumericError with that text.
func says(t *testing.T, err error, want string) {
	t.Helper()
	if numeric := (*trainer.NumericError)(nil); !errors.As(err, &numeric) || err.Error() != want {
		t.Errorf("error %v\nwant  %s", err, want)
	}
}

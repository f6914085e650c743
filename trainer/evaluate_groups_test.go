package trainer_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

// watchedRows are rows of which some cannot be read, or encoded.
type watchedRows struct {
	noise
	unreadable, notANumber int64 // the rows; -1 for none
	read                   func(row int64)
	reading                atomic.Int32
}

func (w *watchedRows) Eval(row int64, x []float32) error {
	w.reading.Add(1)
	defer w.reading.Add(-1)
	if w.read != nil {
		w.read(row)
	}
	to := row + int64(len(x)/w.d)
	if w.unreadable >= row && w.unreadable < to {
		return errUnreadable
	}
	err := w.noise.Eval(row, x)
	if at := w.notANumber; at >= row && at < to {
		x[(at-row)*int64(w.d)] = float32(math.NaN())
	}
	return err
}

// Groups that are read, encoded and summed at the same time report what comes first in the order of the rows. When the
// evaluation has ended, nothing reads any more.
func TestEvaluateEnds(t *testing.T) {
	c := config(t, nil)
	s := trainer.Init(c)
	m, err := cpu.New(2).New(c, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	cause := errors.New("nobody waits")
	for name, test := range map[string]struct {
		unreadable, notANumber, canceled int64
		want                             string
	}{
		"unreadable":                  {3000, -1, -1, "evaluate: unreadable"},
		"no number, then unreadable":  {3000, 2000, -1, "held-out row 2000 has NaN"},
		"unreadable, then no number":  {2000, 3000, -1, "evaluate: unreadable"},
		"unreadable in the first":     {0, 2000, -1, "evaluate: unreadable"},
		"no number in the last":       {-1, 4999, -1, "held-out row 4999 has NaN"},
		"canceled":                    {-1, -1, 2048, "nobody waits"},
		"canceled in the first group": {-1, -1, 0, "nobody waits"},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		data := &watchedRows{noise: noise{d: c.ActivationDim, rows: 5000}, unreadable: test.unreadable,
			notANumber: test.notANumber}
		data.read = func(row int64) {
			if row == test.canceled {
				cancel(cause)
			}
		}
		_, err := trainer.Evaluate(ctx, m, c, s, data)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
		if test.canceled >= 0 && err != cause {
			t.Errorf("%s: %v is not the cause alone", name, err)
		}
		if n := data.reading.Load(); n != 0 {
			t.Errorf("%s: %d reads go on", name, n)
		}
		cancel(nil)
	}
}

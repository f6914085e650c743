package trainer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

var errStop = errors.New("stop")

// train runs from s until step to and returns the checkpoint that follows.
func train(t *testing.T, c trainer.Config, s *trainer.State, to int64) []byte {
	t.Helper()
	l, err := trainer.Start(cpu.New(2), c, s, &noise{d: c.ActivationDim})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = l.Run(t.Context(), int64(c.Steps), func(done int64, _ trainer.Stats) error {
		if done == to {
			return errStop
		}
		return nil
	})
	if !errors.Is(err, errStop) {
		t.Fatalf("run to %d: %v", to, err)
	}
	after := trainer.NewState(c)
	if err := l.Save(after); err != nil {
		t.Fatal(err)
	}
	return encode(t, c, after)
}

func encode(t *testing.T, c trainer.Config, s *trainer.State) []byte {
	t.Helper()
	b, err := trainer.Encode(c, s)
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func decode(t *testing.T, c trainer.Config, b []byte) *trainer.State {
	t.Helper()
	s := trainer.NewState(c)
	if err := trainer.Decode(bytes.NewReader(b), int64(len(b)), c, s); err != nil {
		t.Fatal(err)
	}
	return s
}

// A run that is stopped at any step and goes on from its checkpoint ends with
// the bytes of one that never stopped.
func TestResumeIsBitExact(t *testing.T) {
	for _, r := range trainer.Recipes() {
		t.Run(r.Name, func(t *testing.T) {
			c := config(t, func(c *trainer.Config) {
				c.Recipe = r.Name
				if r.Warmup {
					c.WarmupSteps = 5
				}
			})
			want := train(t, c, trainer.Init(c), int64(c.Steps))
			for _, stop := range []int64{1, 2, 13, 20, 29} {
				half := decode(t, c, train(t, c, trainer.Init(c), stop))
				if half.Step != stop {
					t.Fatalf("checkpoint after step %d says %d", stop, half.Step)
				}
				if got := train(t, c, half, int64(c.Steps)); !bytes.Equal(got, want) {
					t.Errorf("resumed at step %d: another final checkpoint", stop)
				}
			}
		})
	}
}

func TestLoopStops(t *testing.T) {
	c := config(t, nil)
	broken := errors.New("disk on fire")
	data := &noise{d: c.ActivationDim, fail: map[int64]error{7: broken}}
	l, err := trainer.Start(cpu.New(1), c, trainer.Init(c), data)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = l.Run(t.Context(), 30, func(int64, trainer.Stats) error { return nil })
	if !errors.Is(err, broken) || err.Error() != "step 7: disk on fire" {
		t.Errorf("got %v, want the data's error with its step", err)
	}
	if l.Step() != 7 {
		t.Errorf("stopped after %d steps, want 7", l.Step())
	}

	l2, err := trainer.Start(cpu.New(1), c, trainer.Init(c), &noise{d: c.ActivationDim})
	if err != nil {
		t.Fatal(err)
	}
	defer l2.Close()
	ctx, cancel := context.WithCancel(t.Context())
	err = l2.Run(ctx, 30, func(done int64, _ trainer.Stats) error {
		if done == 3 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || l2.Step() != 3 {
		t.Errorf("canceled after step 3: %v, at step %d", err, l2.Step())
	}
	if err := l2.Run(t.Context(), 30, func(int64, trainer.Stats) error { return nil }); err != nil || l2.Step() != 30 {
		t.Errorf("going on: %v, at step %d", err, l2.Step())
	}
}

// slowNoise takes an hour to read a batch, in the time of a synctest bubble.
type slowNoise struct {
	noise
	lastReadEnd time.Time
}

func (n *slowNoise) Batch(seed, step int64, x []float32) error {
	time.Sleep(time.Hour)
	n.lastReadEnd = time.Now()
	return n.noise.Batch(seed, step, x)
}

// Nothing reads the data once Run has returned.
func TestLoopEndsReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := config(t, nil)
		data := &slowNoise{noise: noise{d: c.ActivationDim}}
		l, err := trainer.Start(cpu.New(1), c, trainer.Init(c), data)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		err = l.Run(t.Context(), 30, func(done int64, _ trainer.Stats) error { return errStop })
		ended := time.Now()
		time.Sleep(100 * time.Hour)
		if !errors.Is(err, errStop) || data.lastReadEnd.After(ended) {
			t.Errorf("error %v; the data was read until %v after Run", err, data.lastReadEnd.Sub(ended))
		}
	})
}

// A backend that ends too early is an error.
func TestLoopOfLazyBackend(t *testing.T) {
	c := config(t, nil)
	l, err := trainer.Start(lazy{cpu.New(1)}, c, trainer.Init(c), &noise{d: c.ActivationDim})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Run(t.Context(), 30, func(int64, trainer.Stats) error { return nil }); err == nil || l.Step() != 7 {
		t.Errorf("error %v after %d steps", err, l.Step())
	}
}

// lazy is a backend that never takes more than seven steps.
type lazy struct{ trainer.Backend }

func (b lazy) New(c trainer.Config, s *trainer.State, data trainer.Batches) (trainer.Model, error) {
	m, err := b.Backend.New(c, s, data)
	return lazyModel{m}, err
}

type lazyModel struct{ trainer.Model }

func (m lazyModel) Steps(ctx context.Context, to int64) iter.Seq2[trainer.Stats, error] {
	return m.Model.Steps(ctx, min(to, 7))
}

func TestStartRefusesOtherWidth(t *testing.T) {
	c := config(t, nil)
	if _, err := trainer.Start(cpu.New(1), c, trainer.Init(c), &noise{d: c.ActivationDim + 1}); err == nil {
		t.Error("started on data of another width")
	}
}

func TestOnCurve(t *testing.T) {
	points := 0
	for step := range int64(1_000_000) {
		if trainer.OnCurve(step) {
			points++
			if step < 128 && !trainer.OnCurve(step) {
				t.Errorf("step %d is not on the curve", step)
			}
		}
	}
	if points < 500 || points > 1200 {
		t.Errorf("%d points in a million steps", points)
	}
}

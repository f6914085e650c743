package trainer_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/topksweep/sweep/trainer"
)

// pace is a ReadAhead whose batches hold their step's number, and which takes as
// long as it is told: in the time of a synctest bubble, which is exact.
type pace struct {
	reading, training time.Duration
	fails             int64 // the step whose batch cannot be read; 0: none

	reads       int
	trained     []int64
	lastReadEnd time.Time
}

var errUnreadable = errors.New("unreadable")

func (p *pace) ahead(buffers int, upcoming func(b *int64) error) trainer.ReadAhead[*int64] {
	r := trainer.ReadAhead[*int64]{
		Read: func(step int64, b *int64) error {
			p.reads++
			time.Sleep(p.reading)
			p.lastReadEnd = time.Now()
			if p.fails > 0 && step == p.fails {
				return errUnreadable
			}
			*b = step
			return nil
		},
		Upcoming: upcoming,
		Train: func(b *int64) (trainer.Stats, error) {
			time.Sleep(p.training)
			p.trained = append(p.trained, *b)
			return trainer.Stats{}, nil
		},
	}
	for range buffers {
		r.Buffers = append(r.Buffers, new(int64))
	}
	return r
}

// Batch n+1 is read while step n trains: ten steps of an hour, each with an hour of
// reading, take eleven hours.
func TestReadAheadOverlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pace{reading: time.Hour, training: time.Hour}
		began := time.Now()
		for _, err := range p.ahead(2, nil).Steps(t.Context(), 5, 15) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 11*time.Hour {
			t.Errorf("took %v, want 11h", took)
		}
		if want := []int64{5, 6, 7, 8, 9, 10, 11, 12, 13, 14}; !slices.Equal(p.trained, want) || p.reads != len(want) {
			t.Errorf("%d batches were read, and %v trained on, want %v", p.reads, p.trained, want)
		}
	})
}

// Upcoming has the batch of the next step before a step trains, and each batch once.
func TestReadAheadUpcoming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pace{reading: time.Minute, training: time.Hour}
		var seen []int64
		ahead := p.ahead(3, func(b *int64) error {
			if next := int64(len(p.trained)) + 1; *b != next {
				t.Errorf("batch %d is upcoming, want %d", *b, next)
			}
			seen = append(seen, *b)
			return nil
		})
		for _, err := range ahead.Steps(t.Context(), 0, 6) {
			if err != nil {
				t.Fatal(err)
			}
		}
		// Batch 1 has not been read when step 0 begins.
		if want := []int64{2, 3, 4, 5}; !slices.Equal(seen, want) {
			t.Errorf("%v were upcoming, want %v", seen, want)
		}
	})
}

// The error of a batch comes in its own step, with Upcoming and without.
func TestReadAheadError(t *testing.T) {
	for name, upcoming := range map[string]func(*int64) error{
		"alone": nil, "upcoming": func(*int64) error { return nil },
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &pace{reading: time.Minute, training: time.Hour, fails: 3}
			var last error
			for _, err := range p.ahead(3, upcoming).Steps(t.Context(), 0, 6) {
				if last != nil {
					t.Errorf("%s: the sequence goes on after an error", name)
				}
				last = err
			}
			if !errors.Is(last, errUnreadable) || !slices.Equal(p.trained, []int64{0, 1, 2}) || p.reads != 4 {
				t.Errorf("%s: error %v after %v, with %d reads", name, last, p.trained, p.reads)
			}
		})
	}
}

// Nothing reads when the loop has ended: it waits for the read under way.
func TestReadAheadEnds(t *testing.T) {
	enough := errors.New("enough")
	for _, c := range []struct {
		name   string
		end    func(cancel context.CancelCauseFunc) (leave bool)
		trains int
	}{
		{"left", func(context.CancelCauseFunc) bool { return true }, 2},
		// The loop waits for a batch when its context is done.
		{"canceled", func(cancel context.CancelCauseFunc) bool {
			time.AfterFunc(time.Minute, func() { cancel(enough) })
			return false
		}, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			p := &pace{reading: time.Hour, training: time.Second}
			steps := 0
			for _, err := range p.ahead(2, nil).Steps(ctx, 0, 10) {
				if err != nil {
					if !errors.Is(err, enough) {
						t.Errorf("%s: error %v", c.name, err)
					}
					break
				}
				if steps++; steps == c.trains && c.end(cancel) {
					break
				}
			}
			reads, ended := p.reads, time.Now()
			time.Sleep(100 * time.Hour)
			if steps != c.trains || p.reads != reads || p.lastReadEnd.After(ended) || reads != 3 {
				t.Errorf("%s: %d steps, %d reads, later %d; the last ended %v after the loop",
					c.name, steps, reads, p.reads, p.lastReadEnd.Sub(ended))
			}
		})
	}
}

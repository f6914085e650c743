package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
)

const (
	every    = 10 // steps between checkpoints
	faulty   = 10 // the step at which the store becomes so
	fork     = 20 // a step at which other stages begin
	lastStep = 30
	keep     = 1
)

// state is what an undisturbed training has at a step.
func state(step int64) []byte { return noise(uint64(step), 10_000) }

// RunCheckpoints trains a stage, over and over, with one operation of the store
// failing: the first, the second and so on until none does, in each of the ways
// in Faults; and again with all operations failing from there on. After every
// failure the newest checkpoint that was acknowledged must be restorable, and
// nothing but whole checkpoints; and the attempt after it must finish the stage.
func RunCheckpoints(t *testing.T, open func(*testing.T) storage.Store) {
	for _, fault := range Faults {
		for name, wrap := range map[string]func(storage.Store, Fault, int) *Faulty{"once": NewFaulty, "from there on": NewFailing} {
			t.Run(string(fault)+"/"+name, func(t *testing.T) {
				t.Parallel()
				s := open(t)
				for n := 1; ; n++ {
					r := trial{t, fmt.Sprintf("trial-%03d", n)}
					if !r.run(s, wrap(s, fault, n)) {
						t.Logf("%d operations", n-1)
						return
					}
					if t.Failed() {
						t.Fatalf("with operation %d failing", n)
					}
				}
			})
		}
	}
}

// A trial is one training of one stage.
type trial struct {
	*testing.T
	stage string
}

// run trains on the store without faults at first, on the faulty one until
// something fails, and again on the one without. It returns whether anything
// failed.
func (t trial) run(clean storage.Store, broken *Faulty) bool {
	if _, err := t.train(clean, faulty); err != nil {
		t.Fatal(err)
	}
	acked, err := t.train(broken, lastStep)
	acked = max(acked, faulty)
	if !broken.Fired() {
		if err != nil {
			t.Errorf("without a fault: %v", err)
		}
		return false
	}
	if err == nil && acked != lastStep {
		t.Errorf("finished at step %d of %d", acked, lastStep)
	}
	t.wantRestorable(clean, acked)
	if acked, err = t.train(clean, lastStep); err != nil || acked != lastStep {
		t.Errorf("the attempt after: finished at step %d of %d, %v", acked, lastStep, err)
	}
	t.wantRestorable(clean, lastStep)
	t.wantTidy(clean)
	return true
}

// Train trains a stage to its end on a store that fails now and then, in as many
// attempts as it takes, and fails the test if one restores less than was
// acknowledged before. It returns the number of attempts.
func Train(t *testing.T, s storage.Store, stage string) (attempts int) {
	t.Helper()
	r := trial{t, stage}
	var acked int64
	for attempts = 1; attempts <= 100; attempts++ {
		step, err := r.train(s, lastStep)
		if step < acked && (err == nil || step > 0) {
			t.Errorf("%s: attempt %d got to step %d, but %d was acknowledged", stage, attempts, step, acked)
		}
		if err == nil {
			r.wantTidy(s)
			return attempts
		}
		t.Logf("%s: attempt %d: %v", stage, attempts, err)
		acked = max(acked, step)
	}
	t.Errorf("%s: not done after %d attempts", stage, attempts)
	return attempts
}

// train is what a trainer does: claim the stage, restore, go on, save and prune.
// It returns the last step that was acknowledged.
func (t trial) train(s storage.Store, until int64) (acked int64, err error) {
	ctx := t.Context()
	c, err := storage.NewCheckpoints(s, t.stage, nil)
	if err != nil {
		return 0, err
	}
	claim, err := c.Claim(ctx)
	if err != nil {
		return 0, err
	}
	if err := claim.Pin(ctx, fork); err != nil {
		return 0, err
	}
	step, err := restore(ctx, c, until)
	if err != nil {
		return 0, err
	}
	acked = step
	for step < until {
		step += every
		body := state(step)
		if _, err := claim.Save(ctx, storage.Checkpoint{
			Step: step, Format: "test/1", Meta: map[string]string{"loss": "0.5"},
			Body: bytes.NewReader(body), Size: int64(len(body)),
		}); err != nil {
			return acked, err
		}
		acked = step
		if _, err := c.Prune(ctx, keep); err != nil {
			return acked, err
		}
	}
	return step, nil
}

// restore returns the step to go on from to step until, and an error if what was
// restored is not the state at that step.
func restore(ctx context.Context, c *storage.Checkpoints, until int64) (int64, error) {
	var got []byte
	m, err := c.RestoreAtMost(ctx, until, func(m *storage.Manifest, r io.Reader) (err error) {
		got, err = io.ReadAll(r)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if !bytes.Equal(got, state(m.Step)) {
		return 0, fmt.Errorf("restored something else than the state at step %d", m.Step)
	}
	if m.Step > until {
		return 0, fmt.Errorf("restored step %d, of at most %d", m.Step, until)
	}
	return m.Step, nil
}

func (t trial) wantRestorable(s storage.Store, acked int64) {
	t.Helper()
	c, err := storage.NewCheckpoints(s, t.stage, nil)
	if err != nil {
		t.Fatal(err)
	}
	step, err := restore(t.Context(), c, lastStep)
	if err != nil || step < acked {
		t.Errorf("restored step %d (%v), but %d was acknowledged", step, err, acked)
	}
	if acked >= fork { // then a branch begins there, whatever has been pruned
		if _, err := c.RestoreStep(t.Context(), fork, func(*storage.Manifest, io.Reader) error { return nil }); err != nil {
			t.Errorf("the fork at step %d: %v", fork, err)
		}
	}
	if newest, ok, err := c.Newest(t.Context(), lastStep); err != nil || ok && newest < step || !ok && step > 0 {
		t.Errorf("newest: step %d (%v, %v), restored %d", newest, ok, err, step)
	}
	if latest, err := c.Latest(t.Context()); step > 0 && (err != nil || latest.Step != step) {
		t.Errorf("latest: %v, %v, want step %d", latest, err, step)
	}
}

// wantTidy says that a new claim's pruning leaves nothing but the newest
// checkpoints and the fork's, and that nothing but the fork's need stay.
func (t trial) wantTidy(s storage.Store) {
	t.Helper()
	ctx := t.Context()
	c, err := storage.NewCheckpoints(s, t.stage, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Claim(ctx); err != nil {
		t.Fatal(err)
	}
	for _, keep := range []int{keep, 0} {
		if _, err := c.Prune(ctx, keep); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"data", "manifests"} {
			objects := list(t.T, s, "stages/"+t.stage+"/"+kind+"/")
			forks := 0
			for _, o := range objects {
				if strings.Contains(o.Key, fmt.Sprintf("/%012d-", fork)) {
					forks++
				}
			}
			// Two attempts may both have saved the fork.
			if forks == 0 || len(objects) != keep+forks {
				t.Errorf("pruning left %d %s, %d of them the fork's, want %d others: %v", len(objects), kind, forks, keep, objects)
			}
		}
	}
	t.wantRestorable(s, fork)
}

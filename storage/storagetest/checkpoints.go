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
	faulty   = 10 // from this step on the store is faulty
	fork     = 20 // a step at which other stages begin
	lastStep = 30
	keep     = 1
)

// state is the state at a step of a training that nothing disturbs.
func state(step int64) []byte { return noise(uint64(step), 10_000) }

// RunCheckpoints trains a run, over and over, while one operation of the store
// fails: the first, then the second and so on until none fails, in each of the ways
// in Faults. It does so again with all operations failing from there on. After
// every failure the newest acknowledged checkpoint must be restorable, no
// checkpoint that is not whole may be, and the next attempt must finish the run.
func RunCheckpoints(t *testing.T, open func(*testing.T) storage.Store) {
	for _, fault := range Faults {
		for name, wrap := range map[string]func(storage.Store, Fault, int) *Faulty{
			"once": NewFaulty, "from there on": NewFailing,
		} {
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

// A trial is one training of one run, whose checkpoints are in one folder.
type trial struct {
	*testing.T
	folder string
}

// run trains first on the store without faults, then on the faulty one until
// something fails, and then on the one without faults again. It returns whether
// anything failed.
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
	t.wantAttempts(clean)
	if acked, err = t.train(clean, lastStep); err != nil || acked != lastStep {
		t.Errorf("the attempt after: finished at step %d of %d, %v", acked, lastStep, err)
	}
	t.wantRestorable(clean, lastStep)
	t.wantTidy(clean)
	return true
}

// Train trains a run to its end on a store that fails now and then, in as many
// attempts as it takes. It fails the test if an attempt restores less than was
// acknowledged before. It returns the number of attempts.
func Train(t *testing.T, s storage.Store, folder string) (attempts int) {
	t.Helper()
	r := trial{t, folder}
	var acked int64
	for attempts = 1; attempts <= 100; attempts++ {
		step, err := r.train(s, lastStep)
		if step < acked && (err == nil || step > 0) {
			t.Errorf("%s: attempt %d got to step %d, but %d was acknowledged", folder, attempts, step, acked)
		}
		if err == nil {
			r.wantTidy(s)
			return attempts
		}
		t.Logf("%s: attempt %d: %v", folder, attempts, err)
		acked = max(acked, step)
	}
	t.Errorf("%s: not done after %d attempts", folder, attempts)
	return attempts
}

// train does what a trainer does: claim the folder, restore, go on, save and prune.
// It returns the last step that was acknowledged.
func (t trial) train(s storage.Store, until int64) (acked int64, err error) {
	ctx := t.Context()
	c, err := storage.NewCheckpoints(s, t.folder, nil)
	if err != nil {
		return 0, err
	}
	claim, err := c.Claim(ctx, storage.Holder{By: "a trainer", Activity: t.folder})
	if err != nil {
		return 0, err
	}
	// Whether it is alive and how it ended is for others: training goes on whatever comes of that.
	claim.Renew(ctx)
	defer claim.End(ctx, storage.End{})
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
		return 0, fmt.Errorf("what was restored is not the state at step %d", m.Step)
	}
	if m.Step > until {
		return 0, fmt.Errorf("restored step %d, of at most %d", m.Step, until)
	}
	return m.Step, nil
}

// wantAttempts checks that what a failed attempt has left of its claims can be read.
func (t trial) wantAttempts(s storage.Store) {
	t.Helper()
	c, err := storage.NewCheckpoints(s, t.folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Attempts(t.Context()); err != nil {
		t.Errorf("attempts: %v", err)
	}
	if a, err := c.NewestClaim(t.Context()); err != nil || a == nil {
		t.Errorf("newest claim: %+v, %v", a, err)
	}
}

func (t trial) wantRestorable(s storage.Store, acked int64) {
	t.Helper()
	c, err := storage.NewCheckpoints(s, t.folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	step, err := restore(t.Context(), c, lastStep)
	if err != nil || step < acked {
		t.Errorf("restored step %d (%v), but %d was acknowledged", step, err, acked)
	}
	if acked >= fork { // a branch may begin there, whatever has been pruned
		if _, err := c.RestoreStep(t.Context(), fork, ignore); err != nil {
			t.Errorf("the fork at step %d: %v", fork, err)
		}
	}
	if newest, ok, err := c.Newest(t.Context(), lastStep); err != nil || ok && newest < step || !ok && step > 0 {
		t.Errorf("newest: step %d (%v, %v), restored %d", newest, ok, err, step)
	}
}

// wantTidy checks that pruning by a new claim leaves only the newest checkpoints and
// the fork's, and only the fork's when it keeps none.
func (t trial) wantTidy(s storage.Store) {
	t.Helper()
	ctx := t.Context()
	c, err := storage.NewCheckpoints(s, t.folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Claim(ctx, storage.Holder{}); err != nil {
		t.Fatal(err)
	}
	for _, keep := range []int{keep, 0} {
		if _, err := c.Prune(ctx, keep); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"data", "manifests"} {
			objects := list(t.T, s, "stages/"+t.folder+"/"+kind+"/")
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

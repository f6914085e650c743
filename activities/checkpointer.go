package activities

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/trainer"
)

// metaSeconds is the time spent in training so far, over all attempts. It is in
// the manifest and not in the checkpoint, whose bytes depend on the run alone.
const metaSeconds = "train_seconds"

// checkpointFormat is what manifests say of the data that they name.
const checkpointFormat = "safetensors"

// A checkpointer saves a loop's state while the loop goes on: the loop stops
// only for the copy of the state, and at most one checkpoint is in flight.
type checkpointer struct {
	checkpoints *storage.Checkpoints
	claim       *storage.Claim
	cfg         trainer.Config
	loop        *trainer.Loop
	now         func() time.Time
	cleared     func(context.Context) (bool, error) // the run has a result, and its stage was cleared; nil for a shared stage
	every       time.Duration
	keep        int
	log         *slog.Logger

	seconds float64 // in training before this attempt
	begun   time.Time
	last    time.Time // when the last checkpoint was begun
	spare   *trainer.State
	flight  chan error // of the checkpoint in flight; nil if none is
	saved   int64      // steps of the newest checkpoint that is there to stay
}

// step is called between two steps. It begins a checkpoint if one is due, and
// returns an error only if the stage belongs to another attempt.
func (k *checkpointer) step(ctx context.Context, now time.Time) error {
	if k.flight != nil {
		select {
		case err := <-k.flight:
			k.flight = nil
			if err := k.landed(err); err != nil {
				return err
			}
		default:
			return nil // the one before is still on its way
		}
	}
	if now.Sub(k.last) < k.every {
		return nil
	}
	k.last = now
	body, err := k.copy()
	if err != nil {
		return err
	}
	k.flight = make(chan error, 1)
	meta, step := k.meta(now), k.spare.Step
	go func() { k.flight <- k.save(ctx, step, body, meta) }()
	return nil
}

// finish saves the present state and returns when it is there to stay.
func (k *checkpointer) finish(ctx context.Context) error {
	if err := k.wait(); err != nil && errors.Is(err, storage.ErrFenced) {
		return err
	}
	if k.saved == k.loop.Step() {
		return nil
	}
	body, err := k.copy()
	if err != nil {
		return err
	}
	return k.save(ctx, k.spare.Step, body, k.meta(k.now()))
}

// forkHere saves the present state as one that other stages begin at.
func (k *checkpointer) forkHere(ctx context.Context) error {
	if err := k.claim.Pin(ctx, k.loop.Step()); err != nil {
		return err
	}
	if err := k.finish(ctx); err != nil {
		return err
	}
	k.tidy(ctx, 0)
	return nil
}

// fork saves a state of before as one that other stages begin at. own says that
// the stage began at a checkpoint of its own trajectory: one that it began at
// elsewhere serves the others too.
func (k *checkpointer) fork(ctx context.Context, s *trainer.State, own bool) error {
	if err := k.wait(); err != nil {
		return err
	}
	if s.Step == k.saved && !own {
		return nil
	}
	if err := k.claim.Pin(ctx, s.Step); err != nil {
		return err
	}
	if s.Step != k.saved {
		body, err := trainer.Encode(k.cfg, s)
		if err != nil {
			return err
		}
		if err := k.save(ctx, s.Step, body, k.meta(k.now())); err != nil {
			return err
		}
	}
	k.tidy(ctx, 0)
	return nil
}

// tidy removes all but the newest keep checkpoints and those that are forks.
func (k *checkpointer) tidy(ctx context.Context, keep int) {
	if _, err := k.checkpoints.Prune(ctx, keep); err != nil && ctx.Err() == nil {
		k.log.Warn("old checkpoints not removed", "error", err)
	}
}

// wait returns when no checkpoint is in flight.
func (k *checkpointer) wait() error {
	if k.flight == nil {
		return nil
	}
	err := <-k.flight
	k.flight = nil
	return k.landed(err)
}

// landed looks at what came of a checkpoint beside training. Only a fence stops
// the run: the checkpoints before are untouched, and the next one may succeed.
func (k *checkpointer) landed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, storage.ErrFenced):
		return err
	}
	k.log.Warn("checkpoint not saved, training goes on", "error", err)
	return nil
}

func (k *checkpointer) copy() (*trainer.Body, error) {
	if err := k.loop.Save(k.spare); err != nil {
		return nil, err
	}
	return trainer.Encode(k.cfg, k.spare)
}

func (k *checkpointer) meta(now time.Time) map[string]string {
	return map[string]string{metaSeconds: strconv.FormatFloat(k.seconds+now.Sub(k.begun).Seconds(), 'f', 3, 64)}
}

func (k *checkpointer) save(ctx context.Context, step int64, body *trainer.Body, meta map[string]string) error {
	// Whoever comes back after the end finds no newer claim: those are cleared too.
	if k.cleared != nil {
		if cleared, err := k.cleared(ctx); cleared {
			return fmt.Errorf("checkpoint at step %d: the run is done: %w", step, storage.ErrFenced)
		} else if err != nil {
			return fmt.Errorf("checkpoint at step %d: %w", step, err)
		}
	}
	m, err := k.claim.Save(ctx, storage.Checkpoint{Step: step, Format: checkpointFormat, Meta: meta, Body: body, Size: body.Size()})
	if err != nil {
		return fmt.Errorf("checkpoint at step %d: %w", step, err)
	}
	k.saved = m.Step
	k.tidy(ctx, k.keep)
	return nil
}

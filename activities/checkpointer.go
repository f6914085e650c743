package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
)

// metaSeconds is the key in a manifest's metadata for the seconds spent in training
// up to the checkpoint, over all attempts. They are not in the checkpoint itself,
// whose bytes depend on the run alone.
const metaSeconds = "train_seconds"

// metaSaved is the key in a manifest's metadata for the time at which the checkpoint was stored, as RFC 3339 in UTC. It
// is for people, like the seconds.
const metaSaved = "saved_at"

// saveBytes is what saving a checkpoint takes of the host's memory beside the state: buffers of what is hashed,
// written, uploaded in parts and read back.
const saveBytes = 4 << 20

// checkpointFormat is the format of a checkpoint's data, as its manifest states it.
const checkpointFormat = "safetensors"

// A checkpointer saves a loop's state while the loop goes on. The loop waits only
// while its state is copied. At most one checkpoint is being saved at a time.
type checkpointer struct {
	checkpoints *storage.Checkpoints
	claim       *storage.Claim
	cfg         trainer.Config
	loop        *trainer.Loop
	now         func() time.Time
	hasResult   func(context.Context) (bool, error) // of the run; nil for a shared stage
	closeModel  func()                              // a second call does nothing
	verify      func(context.Context) error         // see attemptData.verify
	onSaved     func(step int64, at time.Time)      // a checkpoint is wholly stored; other goroutines call it too
	every       time.Duration
	early       time.Duration // before the first checkpoint, if that is sooner; 0 for like the others
	keep        int
	log         *slog.Logger
	metrics     *metrics

	seconds float64           // in training before this attempt
	before  []ledger.Span     // those before this attempt
	attempt ledger.Span       // what this attempt trains, without To and Seconds
	began   time.Time         // when this attempt began to train
	last    time.Time         // when the last checkpoint was begun
	buffer  *trainer.State    // holds the state that is being saved
	end     *trainer.Body     // the state in which training ended, in buffer; nil before that
	saving  chan error        // gives the outcome of the checkpoint that is being saved; nil if none is
	saved   int64             // steps of the newest checkpoint that is wholly stored
	stored  *storage.Manifest // of that, if this attempt stored it
	savedAt time.Time         // when that was, if this attempt stored it
	begun   bool              // a checkpoint was begun to be stored
	ended   time.Time         // when the training of a run that is evaluated ended; zero before that
}

// step is called between two steps. It begins a checkpoint if one is due. The error
// wraps storage.ErrFenced if another attempt has claimed the folder.
func (k *checkpointer) step(ctx context.Context, now time.Time) error {
	if k.saving != nil {
		select {
		case err := <-k.saving:
			k.saving = nil
			if err := k.saveDone(err); err != nil {
				return err
			}
		default:
			return nil // one at a time
		}
	}
	every := k.every
	if k.early > 0 && k.savedAt.IsZero() {
		every = min(every, k.early)
	}
	if now.Sub(k.last) < every {
		return nil
	}
	k.last = now
	body, err := k.copy()
	if err != nil {
		return err
	}
	k.saving = make(chan error, 1)
	k.begun = true // before the goroutine
	meta, step := k.meta(k.buffer.Step, now), k.buffer.Step
	go func() { k.saving <- k.save(ctx, step, body, meta) }()
	return nil
}

// finish saves the present state, in which training ends, and returns when it is wholly stored. It may be called again
// after an error. The model is closed once its state is copied: storing a large state takes seconds, in which another
// run may have the device's memory.
func (k *checkpointer) finish(ctx context.Context) error {
	if err := k.wait(); err != nil && errors.Is(err, storage.ErrFenced) {
		return err
	}
	if k.saved == k.loop.Step() {
		return nil
	}
	if err := k.hold(); err != nil {
		return err
	}
	at := k.now()
	if !k.ended.IsZero() { // what the run was evaluated for is no time in training
		at = k.ended
	}
	k.begun = true
	return k.save(ctx, k.buffer.Step, k.end, k.meta(k.buffer.Step, at))
}

// hold copies the state in which training ends, unless it has done so before, and closes the model.
func (k *checkpointer) hold() error {
	if k.end != nil {
		return nil
	}
	body, err := k.copy()
	if err != nil {
		return err
	}
	k.end = body
	k.closeModel()
	return nil
}

// forkHere saves the present state as a fork: other stages begin at it, so it is
// pinned first.
func (k *checkpointer) forkHere(ctx context.Context) error {
	if err := k.claim.Pin(ctx, k.loop.Step()); err != nil {
		return err
	}
	if err := k.finish(ctx); err != nil {
		return err
	}
	k.prune(ctx, 0)
	return nil
}

// fork saves s, an earlier state, as a fork. inOwnFolder says that the attempt began at
// a checkpoint in the stage's own folder. If it began at s itself, and s lies in another
// folder, the other stages begin there too, and nothing is saved.
func (k *checkpointer) fork(ctx context.Context, s *trainer.State, inOwnFolder bool) error {
	if err := k.wait(); err != nil {
		return err
	}
	if s.Step == k.saved && !inOwnFolder {
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
		k.closeModel() // as in finish
		if err := k.save(ctx, s.Step, body, k.meta(s.Step, k.now())); err != nil {
			return err
		}
	}
	k.prune(ctx, 0)
	return nil
}

// prune removes all but the newest keep checkpoints and those that are forks.
func (k *checkpointer) prune(ctx context.Context, keep int) {
	if _, err := k.checkpoints.Prune(ctx, keep); err != nil && ctx.Err() == nil {
		k.log.Warn("old checkpoints not removed", "error", err)
	}
}

// wait returns when no checkpoint is being saved any more.
func (k *checkpointer) wait() error {
	if k.saving == nil {
		return nil
	}
	err := <-k.saving
	k.saving = nil
	return k.saveDone(err)
}

// saveDone decides what the outcome of a checkpoint beside training means for the
// run. After most errors training goes on: the earlier checkpoints are untouched, and the
// next one may succeed.
func (k *checkpointer) saveDone(err error) error {
	if err == nil || endsAttempt(err) {
		return err
	}
	k.log.Warn("checkpoint not saved, training goes on", "error", err)
	return nil
}

// unsaved returns the time that the attempt has trained since its last checkpoint.
func (k *checkpointer) unsaved() time.Duration {
	if k.savedAt.IsZero() {
		return k.now().Sub(k.began)
	}
	return k.now().Sub(k.savedAt)
}

// endsAttempt says that an attempt must not train on: another one has claimed the folder,
// or the rows were written to.
func endsAttempt(err error) bool {
	return errors.Is(err, storage.ErrFenced) || errors.Is(err, ErrDataChanged) || errors.Is(err, data.ErrTouched)
}

// copy copies the present state into the buffer.
func (k *checkpointer) copy() (*trainer.Body, error) {
	if err := k.loop.Save(k.buffer); err != nil {
		return nil, err
	}
	return trainer.Encode(k.cfg, k.buffer)
}

// meta is what the manifest says of a checkpoint after a step besides its data.
func (k *checkpointer) meta(step int64, now time.Time) map[string]string {
	meta := map[string]string{
		metaSeconds: strconv.FormatFloat(k.seconds+k.since(now), 'f', 3, 64),
	}
	if spans, err := json.Marshal(k.spans(step, now)); err == nil { // it always is: all numbers are finite
		meta[metaSpans] = string(spans)
	}
	return meta
}

// since returns the seconds that this attempt has trained; 0 if the clock was set back.
func (k *checkpointer) since(now time.Time) float64 { return max(0, now.Sub(k.began).Seconds()) }

// saveTries is how often a checkpoint is tried to be saved, one try at once after the
// other. At the end of a stage all that was trained since the last checkpoint hangs on it.
const saveTries = 3

// save stores a checkpoint, and removes older ones. What another try at once would not
// mend ends the tries: a fence, rows that were written to, a full disk, the end of ctx.
func (k *checkpointer) save(ctx context.Context, step int64, body *trainer.Body, meta map[string]string) (err error) {
	for range saveTries {
		err = k.trySave(ctx, step, body, meta)
		if err == nil || endsAttempt(err) || noRoom(err) || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("checkpoint at step %d: %w", step, err)
	}
	k.prune(ctx, k.keep)
	return nil
}

func (k *checkpointer) trySave(ctx context.Context, step int64, body *trainer.Body, meta map[string]string) error {
	// Evaluation removes the folder of a run that has a result, claims and all. An
	// attempt that wakes up after that finds no newer claim that would fence it off.
	if k.hasResult != nil {
		if done, err := k.hasResult(ctx); done {
			return fmt.Errorf("the run is done: %w", storage.ErrFenced)
		} else if err != nil {
			return err
		}
	}
	if err := k.verify(ctx); err != nil {
		return err
	}
	meta[metaSaved] = k.now().UTC().Format(time.RFC3339)
	began := time.Now()
	m, err := k.claim.Save(ctx, storage.Checkpoint{
		Step: step, Format: checkpointFormat, Meta: meta, Body: watchedBody{body, watchOf(ctx)}, Size: body.Size(),
	})
	if err != nil {
		return err
	}
	k.metrics.saved(time.Since(began), body.Size())
	k.saved, k.savedAt, k.stored = m.Step, k.now(), m
	k.onSaved(k.saved, k.savedAt)
	return nil
}

package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

// origins are the checkpoint folders in which a stage may find the checkpoint to begin
// at, its own first. If a checkpoint is lost, an earlier one in any of them will do: the
// bits at the end of the stage do not depend on where it begins.
type origins []origin

// An origin is one of these folders.
type origin struct {
	plan.Origin
	*storage.Checkpoints
	foreign bool // it is another sweep's
	kept    *keptStates
}

// origins returns the folders in which a stage of a run that ends at step to may find
// the checkpoint to begin at.
func (a *Activities) origins(ctx context.Context, r *run, l plan.Level, to int) (origins, error) {
	var all origins
	add := func(o plan.Origin, foreign bool) error {
		c, err := storage.NewCheckpoints(a.store, o.Folder, a.logOf(ctx))
		all = append(all, origin{o, c, foreign, a.kept})
		return err
	}
	for _, o := range r.header.Origins(r.cell, l, to) {
		if err := add(o, false); err != nil {
			return nil, err
		}
		if o.Trajectory == "" {
			continue
		}
		others, err := storage.FoldersNamed(ctx, a.store, o.Trajectory)
		if err != nil {
			return nil, err
		}
		for _, name := range others {
			if name == o.Folder || plan.TrajectoryOf(name) != o.Trajectory {
				continue
			}
			if err := add(plan.Origin{Folder: name, AtMost: o.AtMost}, true); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// A start is the state that a stage begins with.
type start struct {
	*trainer.State
	seconds     float64       // spent in training up to it
	spans       []ledger.Span // of the steps up to it
	saved       time.Time     // when the checkpoint was stored; zero if that is not known
	inOwnFolder bool          // it is a checkpoint in the stage's own folder
}

// A beginning gives the state before the first step of a run.
type beginning func(ctx context.Context, c trainer.Config) (*trainer.State, error)

// beginning returns the state before the first step of a run: the weights of the
// model that it begins from, with biases in units of the data as training sees them, or
// drawn weights.
func (a *Activities) beginning(r *run) beginning {
	return func(ctx context.Context, c trainer.Config) (*trainer.State, error) {
		if c.Init == "" {
			return trainer.Init(c), nil
		}
		s := trainer.NewState(c)
		if err := a.ledger.Init(ctx, c.Init, c.ActivationDim, c.DictSize, &s.W); err != nil {
			return nil, err
		}
		if err := s.W.ScaleBiases(r.trainsOn().Info.Scale); err != nil {
			return nil, err
		}
		return s, nil
	}
}

// restore loads the newest checkpoint that the stage may begin at, or the state before
// the first step if there is none. by leaves out some of other sweeps.
func (o origins) restore(ctx context.Context, c trainer.Config, by classRule, begin beginning) (*start, error) {
	own, err := o.newest(ctx)
	if err != nil {
		return nil, err
	}
	type found struct {
		origin
		step        int64
		inOwnFolder bool
	}
	var all []found
	for i, from := range o {
		step, ok, err := from.Newest(ctx, from.AtMost)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, found{from, step, i == 0})
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return cmp.Compare(b.step, a.step) })
	var s *trainer.State
	for _, f := range all {
		if s == nil {
			s = trainer.NewState(c)
		}
		m, err := f.restore(ctx, c, s, by, own)
		if err != nil {
			return nil, err
		}
		if m == nil {
			continue
		}
		return &start{s, secondsOf(m), spansOf(m), savedOf(m), f.inOwnFolder}, nil
	}
	if s, err = begin(ctx, c); err != nil {
		return nil, err
	}
	return &start{State: s}, nil
}

// restore loads the newest checkpoint of the folder into s; m is nil if none is sound. Of another sweep's folder it is
// nil too if by does not admit the checkpoint.
func (o origin) restore(
	ctx context.Context, c trainer.Config, s *trainer.State, by classRule, own []ledger.Span,
) (m *storage.Manifest, err error) {
	admits := func() (bool, error) {
		if !o.foreign {
			return true, nil
		}
		return by.admits(own, m)
	}
	if o.foreign { // before gigabytes are read
		m, err = o.NewestManifest(ctx, o.AtMost)
		if errors.Is(err, storage.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if ok, err := admits(); !ok || err != nil {
			return nil, err
		}
	}
	m, err = o.into(s).RestoreAtMost(ctx, o.AtMost, decoder(c, s))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if ok, err := admits(); !ok || err != nil { // an earlier one was taken, of another class
		return nil, err
	}
	return m, nil
}

// last loads the state after the last step of a run into s.
func (o origins) last(ctx context.Context, c trainer.Config, s *trainer.State) (m *storage.Manifest, err error) {
	for _, from := range o {
		if from.AtMost < int64(c.Steps) {
			continue
		}
		m, err = from.into(s).RestoreStep(ctx, int64(c.Steps), decoder(c, s))
		if !errors.Is(err, storage.ErrNotFound) {
			return m, err
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrLost, err)
}

// secondsOf reads the time spent in training from a manifest; 0 if it has none. One that is no time is no error: it is
// only a figure for people.
func secondsOf(m *storage.Manifest) float64 {
	seconds, err := strconv.ParseFloat(m.Meta[metaSeconds], 64)
	if err != nil || !isDuration(seconds) {
		return 0
	}
	return seconds
}

// savedOf reads the time at which a checkpoint was stored from its manifest; zero if that states none, as those of
// earlier versions do, or one that no clock shows.
func savedOf(m *storage.Manifest) time.Time {
	at, err := time.Parse(time.RFC3339, m.Meta[metaSaved])
	if at = at.UTC(); err != nil || at.Year() < 1970 || at.Year() > 9999 {
		return time.Time{}
	}
	return at
}

// into returns the folder's checkpoints as they are read into s. One that this worker has kept is not read: s gets its
// state from memory.
func (o origin) into(s *trainer.State) *storage.Checkpoints {
	has := func(m *storage.Manifest) bool { return o.kept.has(m, s) }
	return o.Held(has, func(m *storage.Manifest) bool { return o.kept.take(m, s) })
}

// decoder reads a checkpoint of a run of c into s.
func decoder(c trainer.Config, s *trainer.State) func(*storage.Manifest, io.Reader) error {
	return func(m *storage.Manifest, r io.Reader) error { return trainer.Decode(r, m.Size, c, s) }
}

// isStored says that a listing shows the last checkpoint of a stage that ends at step to in
// its own folder.
func (o origins) isStored(ctx context.Context, to int) (bool, error) {
	step, ok, err := o[0].Newest(ctx, int64(to))
	return ok && step == int64(to), err
}

// claimAndRestore claims a stage's own folder by take and loads the state to begin with. That is
// the last one of the stage if there is nothing to train. The claim is nil if the attempt has none.
func (o origins) claimAndRestore(
	ctx context.Context, c trainer.Config, to int, rule classRule, begin beginning,
	take func(context.Context) (*storage.Claim, error),
) (*start, *storage.Claim, error) {
	// Look without a claim first. Claiming would stop an attempt that trains a later
	// stage in the same folder.
	if stored, err := o.isStored(ctx, to); err != nil {
		return nil, nil, err
	} else if stored {
		if s, err := o.restore(ctx, c, rule, begin); err != nil || s.Step == int64(to) {
			return s, nil, err
		}
	}
	claim, err := take(ctx)
	if err != nil {
		return nil, nil, err
	}
	s, err := o.restore(ctx, c, rule, begin)
	return s, claim, err
}

package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep"
	"github.com/topksweep/sweep/trainer"
)

// origins are the trajectories that a stage may begin in, its own first. Where a
// checkpoint is lost, the one before it on any of them does as well: which one a
// stage begins at shows in no bit of it.
type origins []origin

type origin struct {
	sweep.Origin
	*storage.Checkpoints
}

func (a *Activities) origins(ctx context.Context, r *run, l sweep.Level, to int) (origins, error) {
	var all origins
	add := func(o sweep.Origin) error {
		c, err := storage.NewCheckpoints(a.store, o.Stage, a.log)
		all = append(all, origin{o, c})
		return err
	}
	for _, o := range r.plan.Origins(r.cell, l, to) {
		if err := add(o); err != nil {
			return nil, err
		}
		if o.Any == "" {
			continue
		}
		others, err := storage.FoldersNamed(ctx, a.store, o.Any)
		if err != nil {
			return nil, err
		}
		for _, name := range others {
			if name == o.Stage || sweep.TrajectoryOf(name) != o.Any {
				continue
			}
			if err := add(sweep.Origin{Stage: name, AtMost: o.AtMost}); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// A start is the state that a stage begins with.
type start struct {
	*trainer.State
	seconds float64 // in training behind it
	own     bool    // it is a checkpoint of the stage's own trajectory
}

// restore loads the newest checkpoint that the stage may begin at, or draws the
// state before the first step if there is none.
func (o origins) restore(ctx context.Context, c trainer.Config) (*start, error) {
	type found struct {
		origin
		step int64
		own  bool
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
	s := trainer.NewState(c)
	for _, f := range all {
		m, err := f.RestoreAtMost(ctx, f.AtMost, decoder(c, s))
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return &start{s, secondsOf(m), f.own}, nil
	}
	return &start{trainer.Init(c), 0, false}, nil
}

// last loads the state after the last step of a run into s.
func (o origins) last(ctx context.Context, c trainer.Config, s *trainer.State) (m *storage.Manifest, err error) {
	for _, from := range o {
		if from.AtMost < int64(c.Steps) {
			continue
		}
		m, err = from.RestoreStep(ctx, int64(c.Steps), decoder(c, s))
		if !errors.Is(err, storage.ErrNotFound) {
			return m, err
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrLost, err)
}

func secondsOf(m *storage.Manifest) float64 {
	seconds, _ := strconv.ParseFloat(m.Meta[metaSeconds], 64) // a hint for people: 0 if absent
	return seconds
}

func decoder(c trainer.Config, s *trainer.State) func(*storage.Manifest, io.Reader) error {
	return func(m *storage.Manifest, r io.Reader) error { return trainer.Decode(r, m.Size, c, s) }
}

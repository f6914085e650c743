package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
)

// Restore hands the checkpoint of the highest step to load, streaming, and
// returns its manifest if the data proved right. If it did not, load is called
// again with the checkpoint before, and must start over; whatever it made of
// wrong data, or said about it, does not count.
//
// load must not act on what it has read until Restore returns. An error of load
// on right data is returned as it is. The error wraps ErrNotFound if no
// checkpoint verifies, so that training starts from step 0, and ErrNewerVersion
// if the newest is of a newer build. A store that fails to answer is an error
// too, not a reason to fall back: trying again costs less than training again.
func (c *Checkpoints) Restore(ctx context.Context, load func(m *Manifest, r io.Reader) error) (*Manifest, error) {
	return c.RestoreAtMost(ctx, math.MaxInt64, load)
}

// RestoreAtMost is Restore for an attempt that trains no further than step: it
// looks at no checkpoint beyond.
func (c *Checkpoints) RestoreAtMost(ctx context.Context, step int64, load func(m *Manifest, r io.Reader) error) (*Manifest, error) {
	return c.walk(ctx, func(p point) bool { return p.step <= step }, func(m *Manifest) error { return c.load(ctx, m, load) })
}

// RestoreStep is Restore for the checkpoint of one step, such as the fork that a
// branch starts from.
func (c *Checkpoints) RestoreStep(ctx context.Context, step int64, load func(m *Manifest, r io.Reader) error) (*Manifest, error) {
	return c.walk(ctx, func(p point) bool { return p.step == step }, func(m *Manifest) error { return c.load(ctx, m, load) })
}

// Newest returns the step of the highest checkpoint up to step atMost, and
// whether there is one, from the listing alone: Restore may fall back to an
// earlier one, or find none that verifies.
func (c *Checkpoints) Newest(ctx context.Context, atMost int64) (step int64, ok bool, err error) {
	all, err := c.manifests(ctx)
	for _, f := range all {
		if f.step <= atMost {
			return f.step, true, err
		}
	}
	return 0, false, err
}

// Latest returns the checkpoint of the highest step that verifies, which it reads to tell.
// Restore does both in one pass. Errors are as Restore's.
func (c *Checkpoints) Latest(ctx context.Context) (*Manifest, error) {
	return c.walk(ctx, func(point) bool { return true }, func(m *Manifest) error { return c.Verify(ctx, m) })
}

// walk tries the checkpoints that match from the highest step on and returns the first
// that is neither missing nor corrupt.
func (c *Checkpoints) walk(ctx context.Context, match func(point) bool, try func(*Manifest) error) (*Manifest, error) {
	all, err := c.manifests(ctx)
	if err != nil {
		return nil, err
	}
	skipped := 0
	for _, f := range all {
		if !match(f.point) {
			continue
		}
		m, err := c.readManifest(ctx, f.Key)
		if err == nil {
			err = try(m)
		}
		var loaded *loadError
		switch {
		case err == nil:
			return m, nil
		case errors.As(err, &loaded):
			return nil, loaded.error
		case errors.Is(err, ErrNewerVersion) || !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNotFound):
			return nil, err
		}
		skipped++
		c.log.Warn("checkpoint passed over", "step", f.step, "attempt", f.attempt, "error", err)
	}
	if skipped > 0 {
		return nil, Wrap("restore stage", c.stage, fmt.Errorf("%w: none of %d checkpoints verifies", ErrNotFound, skipped))
	}
	return nil, Wrap("restore stage", c.stage, ErrNotFound)
}

func (c *Checkpoints) load(ctx context.Context, m *Manifest, load func(*Manifest, io.Reader) error) error {
	r, err := c.Open(ctx, m)
	if err != nil {
		return err
	}
	defer r.Close()
	loaded := load(m, r)
	// Whether load is to be believed shows at the end of the data, which it need
	// not have reached.
	if err := drain(ctx, r); err != nil {
		return err
	}
	if loaded != nil {
		return &loadError{loaded}
	}
	return nil
}

// A loadError is what load said about right data, whatever it wraps.
type loadError struct{ error }

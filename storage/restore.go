package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// RestoreAtMost finds the checkpoint of the highest step up to step, streams its
// data to load and returns its manifest. If the data that is read is wrong, the result
// of load is ignored, and load is called again: first with the same checkpoint, and
// with the one before it if a second read gave the same wrong bytes. It must start over
// then.
//
// load must not act on what it has read until RestoreAtMost returns, because only
// the end of the data shows whether it is right. An error of load on right data is
// returned as it is.
//
// The error wraps ErrNotFound if no checkpoint verifies, so that training starts
// from step 0, and ErrNewerVersion if a newer build wrote the newest checkpoint. A
// read that fails, or that gives other bytes the second time, is an error too, and no
// reason to take an older checkpoint: trying again costs less than training again.
func (c *Checkpoints) RestoreAtMost(
	ctx context.Context, step int64, load func(m *Manifest, r io.Reader) error,
) (*Manifest, error) {
	return c.restore(ctx, func(p point) bool { return p.step <= step }, load)
}

// RestoreStep is RestoreAtMost for checkpoints of exactly one step, such as the
// fork at which a branch begins.
func (c *Checkpoints) RestoreStep(
	ctx context.Context, step int64, load func(m *Manifest, r io.Reader) error,
) (*Manifest, error) {
	return c.restore(ctx, func(p point) bool { return p.step == step }, load)
}

// Newest returns the step of the highest checkpoint up to step atMost, and
// whether there is one. It looks at the listing only: RestoreAtMost may have to
// take an earlier one, or may find none that verifies.
func (c *Checkpoints) Newest(ctx context.Context, atMost int64) (step int64, ok bool, err error) {
	all, err := c.manifests(ctx)
	for _, f := range all {
		if f.step <= atMost {
			return f.step, true, err
		}
	}
	return 0, false, err
}

// restore tries the checkpoints that match, from the highest step down, and
// returns the first that is neither missing nor corrupt.
func (c *Checkpoints) restore(
	ctx context.Context, match func(point) bool, load func(*Manifest, io.Reader) error,
) (*Manifest, error) {
	all, err := c.manifests(ctx)
	if err != nil {
		return nil, err
	}
	skipped := 0
	for _, f := range all {
		if !match(f.point) {
			continue
		}
		m, err := c.load(ctx, f.Key, load)
		var loaded *loadError
		switch {
		case err == nil:
			return m, nil
		case errors.As(err, &loaded):
			return nil, loaded.error
		case ctx.Err() != nil, errors.Is(err, ErrNewerVersion):
			return nil, err
		case !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNotFound):
			return nil, fmt.Errorf("%w (another read may succeed, so no checkpoint older than that of step %d is taken; "+
				"if this stays so, delete %s: then it is given up)", err, f.step, f.Key)
		}
		skipped++
		c.log.Warn("checkpoint skipped", "step", f.step, "attempt", f.attempt, "error", err)
	}
	if skipped > 0 {
		err := fmt.Errorf("%w: none of %d checkpoints verifies", ErrNotFound, skipped)
		return nil, Wrap("restore", folderPrefix(c.folder), err)
	}
	return nil, Wrap("restore", folderPrefix(c.folder), ErrNotFound)
}

// load reads the manifest under key and streams the data that it names. The manifest is
// read again with the data, because a misread manifest makes the data look wrong.
func (c *Checkpoints) load(
	ctx context.Context, key string, load func(*Manifest, io.Reader) error,
) (m *Manifest, err error) {
	err = provedWrong(ctx, c.store, func() (err error) {
		if m, err = c.readManifest(ctx, key); err != nil {
			return err
		}
		if c.takeHeld(ctx, m) {
			return nil
		}
		return stream(ctx, certain{c.store}, m.content(), func(r io.Reader) error { return load(m, r) })
	})
	return m, err
}

// A loadError is an error that load returned for right data, whatever it wraps.
type loadError struct{ error }

package storage

import (
	"context"
	"errors"
)

// NewestManifest returns the manifest of the highest checkpoint up to step atMost, and of one step that of the newest
// attempt. It reads no data: RestoreAtMost may have to take an earlier checkpoint. A manifest that is proved to be
// damaged is skipped, as RestoreAtMost skips it. The error wraps ErrNotFound if there is none.
func (c *Checkpoints) NewestManifest(ctx context.Context, atMost int64) (*Manifest, error) {
	all, err := c.manifests(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		if f.step > atMost {
			continue
		}
		m, err := c.readManifest(ctx, f.Key)
		if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrNotFound) {
			continue
		}
		return m, err
	}
	return nil, Wrap("read manifest", folderPrefix(c.folder), ErrNotFound)
}

package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// A Checkpoint is the state to save. Body must not change until Save returns.
type Checkpoint struct {
	Step   int64             // steps done
	Format string            // of the body; only its reader knows it
	Meta   map[string]string // facts for people and tools that do not read the body
	Body   io.ReaderAt
	Size   int64
}

// Save writes a checkpoint and returns when it is there to stay: the data is
// written and read back, and the manifest is written. Saving the same state again
// for the same step changes nothing.
//
// Save reads the body twice and the stored data once, and keeps none of it in
// memory. Steps must not go down within a claim, and only one Save may run at a
// time. The error wraps ErrFenced if there is a newer claim, ErrCorrupt if the
// store is proved not to hold what was written, and ErrExists if the claim has saved
// another state for this step.
func (l *Claim) Save(ctx context.Context, cp Checkpoint) (*Manifest, error) {
	c := l.c
	if err := l.Check(ctx); err != nil {
		return nil, err
	}
	h := newSum()
	defer h.stop()
	if err := copyAll(ctx, h, io.NewSectionReader(cp.Body, 0, cp.Size), cp.Size); err != nil {
		return nil, Wrap("save", folderPrefix(c.folder), err)
	}
	m := &Manifest{
		Version: ManifestVersion, Folder: c.folder, Attempt: l.attempt, Step: cp.Step,
		Size: cp.Size, SHA256: h.hex(),
		Format: cp.Format, Meta: cp.Meta, Build: build(),
	}
	m.Key = dataKey(c.folder, m.at(), m.SHA256)
	text, err := marshal(m)
	if err != nil {
		return nil, Wrap("save", folderPrefix(c.folder), err)
	}
	if _, err := ParseManifest(text); err != nil {
		return nil, Wrap("save", folderPrefix(c.folder), err)
	}

	// Data that a manifest names is never written again, not even with equal bytes.
	there, err := c.saved(ctx, m)
	if there != nil || err != nil {
		return there, err
	}
	if err := c.store.Put(ctx, m.Key, cp.Body, cp.Size); err != nil {
		return nil, err
	}
	if err := c.Verify(ctx, m); err != nil {
		return nil, err
	}
	if err := l.Check(ctx); err != nil {
		return nil, err
	}
	err = PutNew(ctx, c.store, manifestKey(c.folder, m.at()), text)
	if errors.Is(err, ErrExists) { // an earlier try wrote it, and its answer got lost
		m, err = c.saved(ctx, m)
	}
	if err != nil {
		return nil, err
	}
	// A newer attempt may have listed the manifests before this one was there, and
	// may be about to remove its data as garbage. Then the checkpoint must not be
	// acknowledged.
	if err := l.Check(ctx); err != nil {
		return nil, err
	}
	return m, nil
}

// saved returns the manifest that is already there for m's step and attempt, or
// nil. The error wraps ErrExists if it names other data.
func (c *Checkpoints) saved(ctx context.Context, m *Manifest) (*Manifest, error) {
	key := manifestKey(c.folder, m.at())
	there, err := c.readManifest(ctx, key)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case there.SHA256 != m.SHA256 || there.Size != m.Size || there.Format != m.Format:
		return nil, Wrap("save", key, fmt.Errorf("%w with other data", ErrExists))
	}
	return there, nil
}

package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// A Checkpoint is what is to be saved. Body must not change until Save returns.
type Checkpoint struct {
	Step   int64
	Format string            // of the body; the reader's matter
	Meta   map[string]string // whatever else the reader wants to know without reading the body
	Body   io.ReaderAt
	Size   int64
}

// Save writes a checkpoint, and returns when it is there to stay: the data is
// written and read back, and its manifest is written. Saving the same state
// again for the same step changes nothing.
//
// It reads the body twice and the stored data once, and keeps none of it in
// memory. Steps must not go down within a claim, and one Save is in flight at a
// time. The error wraps ErrFenced if the stage has a newer claim, ErrCorrupt if
// the store does not hold what was written, and ErrExists if the claim has saved
// another state for this step.
func (l *Claim) Save(ctx context.Context, cp Checkpoint) (*Manifest, error) {
	c := l.c
	if err := l.Check(ctx); err != nil {
		return nil, err
	}
	h := sha256.New()
	if err := copyAll(ctx, h, io.NewSectionReader(cp.Body, 0, cp.Size), cp.Size); err != nil {
		return nil, Wrap("save stage", c.stage, err)
	}
	m := &Manifest{
		Version: ManifestVersion, Stage: c.stage, Attempt: l.attempt, Step: cp.Step,
		Size: cp.Size, SHA256: hex.EncodeToString(h.Sum(nil)),
		Format: cp.Format, Meta: cp.Meta, Build: build(),
	}
	m.Key = dataKey(c.stage, m.at(), m.SHA256)
	text, err := marshal(m)
	if err != nil {
		return nil, Wrap("save stage", c.stage, err)
	}
	if _, err := ParseManifest(text); err != nil {
		return nil, Wrap("save stage", c.stage, err)
	}

	// Data that a manifest names is never written again, not even with the same
	// bytes.
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
	err = PutNew(ctx, c.store, manifestKey(c.stage, m.at()), text)
	if errors.Is(err, ErrExists) { // written by an earlier try whose answer got lost
		m, err = c.saved(ctx, m)
	}
	if err != nil {
		return nil, err
	}
	// A claim taken meanwhile may have listed the manifests before ours was
	// there, and may collect the data as garbage: then nothing is promised.
	if err := l.Check(ctx); err != nil {
		return nil, err
	}
	return m, nil
}

// saved returns the manifest of m's point if there is one, nil if not. The error
// wraps ErrExists if it names other data.
func (c *Checkpoints) saved(ctx context.Context, m *Manifest) (*Manifest, error) {
	key := manifestKey(c.stage, m.at())
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

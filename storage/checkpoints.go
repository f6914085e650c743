package storage

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
)

// Checkpoints are the checkpoints in one folder of a store. Anyone may read them;
// writing takes a Claim. Many goroutines may use one Checkpoints.
//
// A checkpoint is data under an immutable key, which is verified, and then a
// manifest that names the data. Whatever fails in between leaves the earlier
// checkpoints as they were.
type Checkpoints struct {
	store  Store
	folder string
	log    *slog.Logger

	has, take func(*Manifest) bool // see Held; both nil for none
}

// NewCheckpoints returns the checkpoints of a folder in s, which must be a
// NewPutter. Corrupt checkpoints that are skipped are logged as warnings; log may
// be nil.
func NewCheckpoints(s Store, folder string, log *slog.Logger) (*Checkpoints, error) {
	if err := checkElement(folder); err != nil { // it must be one element of a key
		return nil, Wrap("open", folderPrefix(folder), err)
	}
	if _, ok := s.(NewPutter); !ok {
		return nil, Wrap("open", folderPrefix(folder), ErrNoPutNew)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Checkpoints{store: s, folder: folder, log: log.With("folder", folder)}, nil
}

// Held returns the same checkpoints for a caller that may have the data of some in memory. Restoring asks has for each
// checkpoint that it comes to, once it has read its manifest. If the caller has the data, and the store has them too
// as far as a listing shows, take takes them, and they are not read. It returns false if they are gone since.
func (c *Checkpoints) Held(has, take func(m *Manifest) bool) *Checkpoints {
	held := *c
	held.has, held.take = has, take
	return &held
}

// takeHeld says that the caller has taken the data of a checkpoint from memory. If a listing shows other data, or
// fails, they are read: that tells what is wrong.
func (c *Checkpoints) takeHeld(ctx context.Context, m *Manifest) bool {
	if c.has == nil || !c.has(m) {
		return false
	}
	size, err := sizeOf(ctx, c.store, m.Key)
	return err == nil && size == m.Size && c.take(m)
}

// Manifests reads the manifests of the folder, those of the highest steps first.
// It stops at the first that cannot be read or is not valid.
func (c *Checkpoints) Manifests(ctx context.Context) ([]*Manifest, error) {
	all, err := c.manifests(ctx)
	if err != nil {
		return nil, err
	}
	var read []*Manifest
	for _, f := range all {
		m, err := c.readManifest(ctx, f.Key)
		switch {
		case errors.Is(err, ErrNotFound): // another process removed it since the listing
		case err != nil:
			return nil, err
		default:
			read = append(read, m)
		}
	}
	return read, nil
}

// A found is a manifest that a listing shows.
type found struct {
	point
	Object
}

// manifests lists the manifests: the highest steps first, and of one step the
// newest attempt first.
func (c *Checkpoints) manifests(ctx context.Context) ([]found, error) {
	prefix := kindPrefix(c.folder, "manifests")
	objects, err := c.store.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var all []found
	for _, o := range objects {
		if p, ok := parseManifestName(strings.TrimPrefix(o.Key, prefix)); ok {
			all = append(all, found{p, o})
		} else {
			c.log.Warn("not a manifest's name", "key", o.Key)
		}
	}
	slices.SortFunc(all, func(a, b found) int {
		return cmp.Or(cmp.Compare(b.step, a.step), cmp.Compare(b.attempt, a.attempt))
	})
	return all, nil
}

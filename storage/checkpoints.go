package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	return &Checkpoints{s, folder, log.With("folder", folder)}, nil
}

// A Claim is the right of one attempt to write the checkpoints of a folder. It
// lasts until somebody claims the folder again. An attempt whose claim is no
// longer the newest is fenced off: its writes fail with ErrFenced.
//
// An example. Worker A trains a run and stops answering, so worker B takes over:
//
//	A: Claim           writes claims/000001.json
//	A: Save, step 100  there is no newer claim: the checkpoint counts
//	B: Claim           writes claims/000002.json
//	A: Save, step 200  finds claim 2 and stops with ErrFenced
//	B: RestoreAtMost   finds A's checkpoint of step 100 and goes on from there
type Claim struct {
	c       *Checkpoints
	attempt int
}

// Claim takes the folder over: every older claim is fenced off from here on. The
// numbers of claims are the folder's own, because the scheduler's attempt numbers
// start again at 1 when a sweep is submitted again.
func (c *Checkpoints) Claim(ctx context.Context) (*Claim, error) {
	newest, err := c.newestClaim(ctx)
	if err != nil {
		return nil, err
	}
	for attempt := newest + 1; ; attempt++ {
		body := fmt.Sprintf("{\"version\": 1, \"stage\": %q, \"attempt\": %d}\n", c.folder, attempt)
		err := PutNew(ctx, c.store, claimKey(c.folder, attempt), []byte(body))
		if err == nil {
			return &Claim{c, attempt}, nil
		}
		// Another attempt took the number; or this one did, and the answer got
		// lost. A number that nobody uses does no harm.
		if !errors.Is(err, ErrExists) {
			return nil, err
		}
	}
}

// Attempt returns the claim's number: 1 for the first claim of a folder.
func (l *Claim) Attempt() int { return l.attempt }

// Check returns an error that wraps ErrFenced if there is a newer claim.
func (l *Claim) Check(ctx context.Context) error {
	newest, err := l.c.newestClaim(ctx)
	if err == nil && newest > l.attempt {
		err = Wrap("write", folderPrefix(l.c.folder), fmt.Errorf("attempt %d is %w %d", l.attempt, ErrFenced, newest))
	}
	return err
}

func (c *Checkpoints) newestClaim(ctx context.Context) (int, error) {
	prefix := kindPrefix(c.folder, "claims")
	objects, err := c.store.List(ctx, prefix)
	newest := 0
	for _, o := range objects {
		if a, ok := parseClaim(strings.TrimPrefix(o.Key, prefix)); ok {
			newest = max(newest, a)
		}
	}
	return newest, err
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

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

// Checkpoints are the checkpoints of one stage in a store. Anyone may read them;
// writing takes a Claim. It may be used by many goroutines.
//
// A checkpoint is data under an immutable key, verified, and then a manifest
// that names it. Whatever fails in between leaves the checkpoints before as they
// were.
type Checkpoints struct {
	store Store
	stage string
	log   *slog.Logger
}

// NewCheckpoints returns the checkpoints of stage in s, which must be a
// NewPutter. What is found corrupt and passed over is logged as a warning; log
// may be nil.
func NewCheckpoints(s Store, stage string, log *slog.Logger) (*Checkpoints, error) {
	if err := CheckStage(stage); err != nil {
		return nil, Wrap("open stage", stage, err)
	}
	if _, ok := s.(NewPutter); !ok {
		return nil, Wrap("open stage", stage, ErrNoPutNew)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Checkpoints{s, stage, log.With("stage", stage)}, nil
}

// CheckStage reports whether stage can name a stage: one element of a key. The
// error wraps ErrBadKey.
func CheckStage(stage string) error { return checkElement(stage) }

// A Claim is the right of one attempt to write the checkpoints of a stage. It
// lasts until someone claims the stage anew.
type Claim struct {
	c       *Checkpoints
	attempt int
}

// Claim takes the stage over: every older claim is fenced off from here on. Its
// number counts up by itself, because the scheduler's attempt numbers start
// again when a sweep is submitted again.
func (c *Checkpoints) Claim(ctx context.Context) (*Claim, error) {
	newest, err := c.newestClaim(ctx)
	if err != nil {
		return nil, err
	}
	for attempt := newest + 1; ; attempt++ {
		body := fmt.Sprintf("{\"version\": 1, \"stage\": %q, \"attempt\": %d}\n", c.stage, attempt)
		err := PutNew(ctx, c.store, claimKey(c.stage, attempt), []byte(body))
		if err == nil {
			return &Claim{c, attempt}, nil
		}
		// Somebody was faster; or it was us, and the answer got lost. A number
		// that nobody uses does no harm.
		if !errors.Is(err, ErrExists) {
			return nil, err
		}
	}
}

// Attempt returns the claim's number: 1 for the first one of a stage.
func (l *Claim) Attempt() int { return l.attempt }

// Check returns an error that wraps ErrFenced if the stage has been claimed
// since.
func (l *Claim) Check(ctx context.Context) error {
	newest, err := l.c.newestClaim(ctx)
	if err == nil && newest > l.attempt {
		err = Wrap("write stage", l.c.stage, fmt.Errorf("attempt %d is %w %d", l.attempt, ErrFenced, newest))
	}
	return err
}

func (c *Checkpoints) newestClaim(ctx context.Context) (int, error) {
	dir := stageDir(c.stage, "claims")
	objects, err := c.store.List(ctx, dir)
	newest := 0
	for _, o := range objects {
		if a, ok := parseClaim(strings.TrimPrefix(o.Key, dir)); ok {
			newest = max(newest, a)
		}
	}
	return newest, err
}

// Manifests reads the manifests of the stage, those of the highest steps first.
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
		case errors.Is(err, ErrNotFound): // collected by somebody else
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

// manifests lists the manifests, those of the highest steps first and of one
// step those of the newest attempt.
func (c *Checkpoints) manifests(ctx context.Context) ([]found, error) {
	dir := stageDir(c.stage, "manifests")
	objects, err := c.store.List(ctx, dir)
	if err != nil {
		return nil, err
	}
	var all []found
	for _, o := range objects {
		if p, ok := parseManifestName(strings.TrimPrefix(o.Key, dir)); ok {
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

package storage

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
)

// Garbage lists what the stage no longer needs if the newest keep checkpoints
// and those of pinned steps stay. It is for Remove.
//
// The newest are those of the newest attempt, and of one attempt those of the
// highest steps: an attempt may train an earlier span than the one before it,
// and it is its own checkpoints that it resumes from. A checkpoint counts
// towards keep only if its step is not pinned and its data is there with the
// right size. With keep 0, what is left once nobody trains the stage any more
// are the pinned ones.
//
// Data without a manifest is garbage unless it may be on its way: that of the
// newest claim beyond its highest manifest. Nothing is garbage if somebody claims
// the stage meanwhile, who is about to pin and to prune, and if any manifest is
// of a newer build: then the error wraps ErrNewerVersion.
func (c *Checkpoints) Garbage(ctx context.Context, keep int) ([]Object, error) {
	// Claims first, data before manifests, pins last: what comes in meanwhile is
	// then of a newer claim, or data not seen, or has its manifest seen; and the
	// manifest of a pinned step, which is saved after the pin, has its pin seen.
	newest, err := c.newestClaim(ctx)
	if err != nil {
		return nil, err
	}
	dir := stageDir(c.stage, "data")
	data, err := c.store.List(ctx, dir)
	if err != nil {
		return nil, err
	}
	sizes := make(map[string]int64, len(data))
	for _, o := range data {
		sizes[o.Key] = o.Size
	}
	manifests, err := c.manifests(ctx)
	if err != nil {
		return nil, err
	}
	pins, err := c.Pins(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(manifests, func(a, b found) int {
		return cmp.Or(cmp.Compare(b.attempt, a.attempt), cmp.Compare(b.step, a.step))
	})

	var garbage []Object
	named := make(map[point]bool) // points whose manifest stays, and whose data therefore stays
	saved := make(map[int]int64)  // the highest step of each attempt with a manifest
	dropped := make(map[point]bool)
	valid := 0
	for _, f := range manifests {
		saved[f.attempt] = max(saved[f.attempt], f.step)
		m, err := c.readManifest(ctx, f.Key)
		switch {
		case errors.Is(err, ErrNotFound): // collected by somebody else
			continue
		case err != nil && !errors.Is(err, ErrCorrupt):
			return nil, err
		}
		_, pinned := slices.BinarySearch(pins, f.step)
		if valid >= keep && !pinned {
			garbage = append(garbage, f.Object)
			dropped[f.point] = true
			continue
		}
		named[f.point] = true
		if err == nil && !pinned {
			if size, ok := sizes[m.Key]; ok && size == m.Size {
				valid++
			}
		}
	}
	for _, o := range data {
		p, ok := parseDataName(strings.TrimPrefix(o.Key, dir))
		step, wrote := saved[p.attempt]
		switch {
		case !ok || named[p]:
		case dropped[p], p.attempt < newest, p.attempt == newest && wrote && p.step <= step:
			garbage = append(garbage, o)
		}
	}
	if now, err := c.newestClaim(ctx); err != nil || now != newest {
		return nil, err
	}
	return garbage, nil
}

// Prune deletes the Garbage and returns how many bytes that were. What it could
// not delete stays garbage for the next time.
func (c *Checkpoints) Prune(ctx context.Context, keep int) (freed int64, err error) {
	garbage, err := c.Garbage(ctx, keep)
	if err != nil {
		return 0, err
	}
	gone, err := Remove(ctx, c.store, garbage)
	return Stage{Objects: gone}.Bytes(), err
}

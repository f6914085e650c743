package storage

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
)

// Garbage lists the objects that the folder no longer needs, if the newest keep
// checkpoints and all those of pinned steps stay. Remove deletes them.
//
// "Newest" goes by attempt first, then by step: an attempt may train an earlier
// span than the attempt before it, and resumes from its own checkpoints. A
// checkpoint counts towards keep only if its step is not pinned and its data is
// there with the right size.
//
// Checkpoints of higher steps than the newest attempt has come to are no garbage,
// whatever keep is, unless their manifest is proved to be damaged: the next attempt
// may begin there. They become garbage when an attempt has come as far. So with keep 0
// these stay, and the pinned ones.
//
// An example with keep 1, where step 100 is pinned and claim 2 is the newest:
//
//	manifests  100-1  160-1  300-1  150-2  200-2
//	stay       100-1 (pinned), 200-2 (the newest), 300-1 (higher than all of attempt 2)
//	garbage    150-2, 160-1, with their data
//	garbage    data of 400-1 without a manifest: attempt 1 is fenced off
//	stays      data of 250-2 without a manifest: attempt 2 may be writing it now
//
// The renewals of attempts before the newest one whose checkpoint stays are garbage too:
// Attempts does not tell of them. Those of the newest claim stay.
//
// There is no garbage if the folder is claimed while this runs: the new owner is
// about to pin and to prune. If a newer build wrote any manifest, the error wraps
// ErrNewerVersion.
func (c *Checkpoints) Garbage(ctx context.Context, keep int) ([]Object, error) {
	// The order of the listings matters, because others write meanwhile. Claims
	// come first, so that a new claim shows at the end. Data comes before
	// manifests, so that data in the list whose manifest is written meanwhile has
	// it in the list too. Pins come last: a pin is written before its checkpoint,
	// so every manifest in the list has its pin there.
	newest, err := c.newestClaim(ctx)
	if err != nil {
		return nil, err
	}
	prefix := kindPrefix(c.folder, "data")
	data, err := c.store.List(ctx, prefix)
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
	all, err := c.readAll(ctx, manifests)
	if err != nil {
		return nil, err
	}
	hasData := func(m *Manifest) bool {
		size, ok := sizes[m.Key]
		return ok && size == m.Size
	}
	reached := int64(-1) // the step to which the newest attempt with a checkpoint has come
	for _, f := range all {
		if f.m != nil && hasData(f.m) {
			reached = f.step
			break
		}
	}

	renewals, err := c.store.List(ctx, kindPrefix(c.folder, "renewals"))
	if err != nil {
		return nil, err
	}

	var garbage []Object
	stays := 0                    // the newest attempt whose checkpoint stays
	named := make(map[point]bool) // their manifests stay, and so does their data
	saved := make(map[int]int64)  // the highest step of each attempt with a manifest
	dropped := make(map[point]bool)
	valid := 0
	for _, f := range all {
		saved[f.attempt] = max(saved[f.attempt], f.step)
		_, pinned := slices.BinarySearch(pins, f.step)
		if higher := f.m != nil && f.step > reached; valid >= keep && !pinned && !higher {
			garbage = append(garbage, f.Object)
			dropped[f.point] = true
			continue
		}
		named[f.point] = true
		stays = max(stays, f.attempt)
		if f.m != nil && !pinned && hasData(f.m) {
			valid++
		}
	}
	for _, o := range data {
		p, ok := parseDataName(strings.TrimPrefix(o.Key, prefix))
		step, wrote := saved[p.attempt]
		switch {
		case !ok || named[p]:
		case dropped[p], p.attempt < newest, p.attempt == newest && wrote && p.step <= step:
			garbage = append(garbage, o)
		}
	}
	for _, o := range renewals {
		n, ok := parseClaim(strings.TrimPrefix(o.Key, kindPrefix(c.folder, "renewals")))
		if ok && n < stays && n < newest {
			garbage = append(garbage, o)
		}
	}
	if now, err := c.newestClaim(ctx); err != nil || now != newest {
		return nil, err
	}
	return garbage, nil
}

// readAll reads manifests; m is nil for one that is proved to be damaged. Those that
// another process has removed since they were listed are left out.
func (c *Checkpoints) readAll(ctx context.Context, listed []found) (all []listedManifest, err error) {
	for _, f := range listed {
		m, err := c.readManifest(ctx, f.Key)
		switch {
		case errors.Is(err, ErrNotFound):
			continue
		case err != nil && (errors.Is(err, ErrNewerVersion) || !errors.Is(err, ErrCorrupt)):
			return nil, err
		}
		all = append(all, listedManifest{f, m})
	}
	return all, nil
}

type listedManifest struct {
	found
	m *Manifest
}

// Prune deletes the Garbage and returns its size in bytes. What it could not
// delete is still garbage the next time.
func (c *Checkpoints) Prune(ctx context.Context, keep int) (freed int64, err error) {
	garbage, err := c.Garbage(ctx, keep)
	if err != nil {
		return 0, err
	}
	gone, err := Remove(ctx, c.store, garbage)
	return Folder{Objects: gone}.Bytes(), err
}

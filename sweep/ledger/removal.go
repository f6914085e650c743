package ledger

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
)

// Kinds of what goes with a sweep.
const (
	RemovedPlans   = "plans"       // with grids, extensions, notes on failures and collected results
	RemovedResults = "results"     // of runs
	RemovedModels  = "models"      // with the curves beside them
	RemovedFolders = "checkpoints" // counted in folders
	RemovedInits   = "inits"       // models that cells begin from
)

// A Removal is what goes with sweeps that are removed, and what stays of them.
type Removal struct {
	Sweeps []string      `json:"sweeps"` // IDs
	Parts  []RemovedPart `json:"removed"`
	Kept   []KeptPart    `json:"kept"`
	DryRun bool          `json:"dry_run"` // nothing was removed
}

// A RemovedPart is what goes of one kind.
type RemovedPart struct {
	Kind    string `json:"kind"`  // RemovedPlans, …
	Count   int    `json:"count"` // plans, results, models, folders or inits
	Objects int    `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

// A KeptPart is what stays of one kind because another sweep refers to it, which may not be the only one.
type KeptPart struct {
	Kind  string `json:"kind"`
	Sweep string `json:"sweep"` // ID
	Count int    `json:"count"`
	Bytes int64  `json:"bytes"`
}

// Part returns what goes of a kind.
func (r *Removal) Part(kind string) RemovedPart {
	for _, p := range r.Parts {
		if p.Kind == kind {
			return p
		}
	}
	return RemovedPart{Kind: kind}
}

// Bytes is the size of all that goes.
func (r *Removal) Bytes() (sum int64) {
	for _, p := range r.Parts {
		sum += p.Bytes
	}
	return sum
}

// A doom is what goes with sweeps, in groups: the objects of one are removed one after the other.
type doom struct {
	Removal
	groups map[string][][]storage.Object // by kind
}

// add adds objects that stand or fall together. by is a sweep that refers to them, or "".
func (d *doom) add(kind string, group []storage.Object, by string) {
	size := storage.Folder{Objects: group}.Bytes()
	if by != "" {
		i := slices.IndexFunc(d.Kept, func(k KeptPart) bool { return k.Kind == kind && k.Sweep == by })
		if i < 0 {
			i, d.Kept = len(d.Kept), append(d.Kept, KeptPart{Kind: kind, Sweep: by})
		}
		d.Kept[i].Count++
		d.Kept[i].Bytes += size
		return
	}
	i := slices.IndexFunc(d.Parts, func(p RemovedPart) bool { return p.Kind == kind })
	if i < 0 {
		i, d.Parts = len(d.Parts), append(d.Parts, RemovedPart{Kind: kind})
	}
	d.Parts[i].Count++
	d.Parts[i].Objects += len(group)
	d.Parts[i].Bytes += size
	d.groups[kind] = append(d.groups[kind], group)
}

// Removal returns what Remove would remove now of the sweeps with these IDs. The error says so if what another plan
// refers to is not known, as CollectGarbage does.
func (l *Ledger) Removal(ctx context.Context, sweeps []string) (Removal, error) {
	d, err := l.doom(ctx, sweeps)
	if err != nil {
		return Removal{}, err
	}
	d.DryRun = true
	return d.Removal, nil
}

// doom finds out what goes with sweeps. A sweep whose own plan is damaged goes with what can be read of it.
func (l *Ledger) doom(ctx context.Context, sweeps []string) (*doom, error) {
	d := &doom{Removal{Sweeps: sweeps, Parts: []RemovedPart{}, Kept: []KeptPart{}}, map[string][][]storage.Object{}}
	all, err := l.sweeps(ctx)
	if err != nil {
		return nil, err
	}
	completed, err := l.CompletedRuns(ctx)
	if err != nil {
		return nil, err
	}
	own, others := newReferences(), newReferences()
	for _, s := range all {
		switch {
		case slices.Contains(sweeps, s.id):
			err = l.noteRemoved(ctx, s, own)
			mark := func(o storage.Object) bool { return o.Key == removingKey(s.id) } // which the removal itself adds
			d.add(RemovedPlans, slices.DeleteFunc(slices.Clone(s.objects), mark), "")
		case s.headers > 0 && !s.removing:
			if err = l.noteStaying(ctx, s, completed, others); err != nil {
				err = l.unlessRemoved(ctx, s.id, err)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return d, l.doomShared(ctx, d, own, others)
}

// noteStaying notes what a plan refers to that stays.
func (l *Ledger) noteStaying(ctx context.Context, s *listedSweep, completed map[string]bool, in references) error {
	h, err := l.Header(ctx, s.id)
	if err != nil {
		return err
	}
	return l.eachCell(ctx, h, s, completed, func(c grid.Cell) { in.note(h, c) })
}

// noteRemoved notes what a plan refers to that is removed, as far as it can be read. Without a header, which an earlier
// removal may have removed already, there is nothing to note.
func (l *Ledger) noteRemoved(ctx context.Context, s *listedSweep, in references) error {
	numbers, err := l.headerNumbers(ctx, s.id)
	if err != nil {
		return err
	}
	cur, _, err := l.newestSound(ctx, s.id, numbers)
	if err != nil || cur.header == nil {
		return err
	}
	return l.eachUnnamedCell(ctx, s, nil, func(c grid.Cell) { in.note(cur.header, c) })
}

// doomShared adds what sweeps share with others: what own refers to goes, unless one of the others does too.
func (l *Ledger) doomShared(ctx context.Context, d *doom, own, others references) error {
	results, err := l.store.List(ctx, resultsPrefix)
	if err != nil {
		return err
	}
	for _, o := range results {
		run := strings.TrimSuffix(strings.TrimPrefix(o.Key, resultsPrefix), ".json")
		if own.runs[run] != "" {
			d.add(RemovedResults, []storage.Object{o}, others.runs[run])
		}
	}
	models, err := l.store.List(ctx, modelsPrefix)
	if err != nil {
		return err
	}
	for len(models) > 0 { // those of a run come one after the other
		run, _, _ := strings.Cut(strings.TrimPrefix(models[0].Key, modelsPrefix), "/")
		n := slices.IndexFunc(models, func(o storage.Object) bool { return !strings.HasPrefix(o.Key, ModelKey(run, "")) })
		if n < 0 {
			n = len(models)
		}
		if n = max(n, 1); own.runs[run] != "" {
			d.add(RemovedModels, models[:n], others.runs[run])
		}
		models = models[n:]
	}
	folders, err := storage.Folders(ctx, l.store)
	if err != nil {
		return err
	}
	for _, f := range folders {
		if own.folder(f.Name) != "" {
			d.add(RemovedFolders, f.Objects, others.folder(f.Name))
		}
	}
	inits, err := l.store.List(ctx, initsPrefix)
	if err != nil {
		return err
	}
	for _, o := range inits {
		if hash := initOfKey(o.Key); own.inits[hash] != "" {
			d.add(RemovedInits, []storage.Object{o}, others.inits[hash])
		}
	}
	return nil
}

// Remove removes sweeps, given by their IDs, and what no other stored plan refers to of their results, models,
// checkpoints and models to begin from. It may run beside everything but the training of these sweeps, and may be
// killed at any moment:
//
//	claim          nobody else removes sweeps; who stores a plan waits until this is over (see BesideRemovals)
//	o.Stopped      says that nobody trains the sweeps
//	mark           readers see them no more
//	read plans     a plan that is stored later waits; what one of the others refers to stays
//	delete         results, models, checkpoints, models to begin from; then headers, and last the marks
//
// A sweep with a mark that nobody has removed to its end is removed by the next Remove of it, by CollectGarbage, and by
// whoever stores it again.
func (l *Ledger) Remove(ctx context.Context, sweeps []string, o RemovalOptions) (Removal, error) {
	c, err := l.claimRemoval(ctx, o)
	if err != nil {
		return Removal{}, err
	}
	defer c.end()
	if o.Stopped != nil {
		if err := o.Stopped(c.ctx); err != nil {
			return Removal{}, err
		}
	}
	d, err := l.markRemoved(c, sweeps)
	if err != nil {
		return Removal{}, err
	}
	for _, kind := range []string{RemovedResults, RemovedModels, RemovedFolders, RemovedInits} {
		if err := each(c.ctx, d.groups[kind], eachAtOnce, c.remove); err != nil {
			return d.Removal, err
		}
	}
	for _, id := range sweeps {
		if err := l.removePlan(c, id); err != nil {
			return d.Removal, err
		}
	}
	return d.Removal, nil
}

// markRemoved marks sweeps as being removed, and finds out what goes with them. After an error no mark of this call is
// left.
func (l *Ledger) markRemoved(c *removalClaim, sweeps []string) (d *doom, err error) {
	var marked []string
	defer func() {
		if err == nil {
			return
		}
		for _, id := range marked {
			ctx := context.WithoutCancel(c.ctx)
			err = errors.Join(err, l.store.Delete(ctx, removingKey(id)))
		}
	}()
	for _, id := range sweeps {
		if err := c.check(c.ctx); err != nil {
			return nil, err
		}
		err := storage.PutNew(c.ctx, l.store, removingKey(id), []byte("{}\n"))
		if errors.Is(err, storage.ErrExists) {
			continue
		}
		marked = append(marked, id) // also if it failed: it may have had its effect
		if err != nil {
			return nil, err
		}
	}
	if d, err = l.doom(c.ctx, sweeps); err == nil {
		err = c.check(c.ctx) // that the marks were made in time
	}
	return d, err
}

// removePlan removes the objects of a plan: headers first, the newest one first, and the mark last.
func (l *Ledger) removePlan(c *removalClaim, id string) error {
	objects, err := l.store.List(c.ctx, sweepsPrefix+id+"/")
	if err != nil {
		return err
	}
	rank := func(o storage.Object) int {
		_, number, isHeader := headerOfKey(o.Key)
		switch {
		case isHeader:
			return -number
		case o.Key == removingKey(id):
			return 2
		}
		return 1
	}
	slices.SortStableFunc(objects, func(a, b storage.Object) int { return cmp.Compare(rank(a), rank(b)) })
	for _, o := range objects {
		if err := c.check(c.ctx); err != nil {
			return err
		}
		if err := l.store.Delete(c.ctx, o.Key); err != nil {
			return err
		}
	}
	return nil
}

// RemovableIDs is SweepIDs for a removal: a sweep whose removal was killed counts too.
func (l *Ledger) RemovableIDs(ctx context.Context) (ids []string, err error) {
	all, err := l.sweeps(ctx)
	for _, s := range all {
		if s.headers > 0 || s.removing {
			ids = append(ids, s.id)
		}
	}
	return ids, err
}

// MatchRemovable is Match for a removal.
func (l *Ledger) MatchRemovable(ctx context.Context, want string) ([]string, error) {
	ids, err := l.RemovableIDs(ctx)
	if err != nil {
		return nil, err
	}
	return match(ids, want)
}

// finishRemovals removes the sweeps whose removal was killed.
func (l *Ledger) finishRemovals(ctx context.Context, dryRun bool) error {
	ids, err := l.HalfRemoved(ctx)
	if err != nil || len(ids) == 0 || dryRun {
		return err
	}
	_, err = l.Remove(ctx, ids, RemovalOptions{By: "sweep gc", impatient: true})
	if errors.Is(err, errBusy) {
		return nil
	}
	return err
}

// HalfRemoved lists the sweeps that somebody removes, or began to remove and was killed.
func (l *Ledger) HalfRemoved(ctx context.Context) ([]string, error) {
	all, err := l.sweeps(ctx)
	var ids []string
	for _, s := range all {
		if s.removing {
			ids = append(ids, s.id)
		}
	}
	return ids, err
}

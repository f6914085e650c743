package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
)

// Why a checkpoint folder, or a part of it, goes or stays.
const (
	FolderFinished  = "finished"  // every run that needs it has its result
	FolderUnplanned = "unplanned" // no stored plan needs it
	FolderYoung     = "young"     // no stored plan needs it, but it may belong to a sweep that is just submitted: it stays
	FolderPruned    = "pruned"    // a run needs it, but not all that it holds
)

// Garbage is what a store holds that nothing refers to.
type Garbage struct {
	Folders   []GarbageFolder `json:"stages"`
	Inits     []GarbageInit   `json:"inits,omitempty"`
	Leftovers int             `json:"leftovers"` // unfinished uploads, temporary files, empty folders
	DryRun    bool            `json:"dry_run"`   // nothing was removed
}

// A GarbageFolder is what was found of one checkpoint folder.
type GarbageFolder struct {
	Folder  string `json:"stage"`
	Why     string `json:"why"` // FolderFinished, …
	Objects int    `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

// CollectGarbage removes from the store what nothing refers to: the checkpoint
// folders of runs that have their results; folders, and models to begin from, that no
// stored plan needs, if nothing was written to them after the time before; checkpoints
// beyond those that runs keep; and what crashed writers left behind before that time. With
// dryRun it removes nothing and returns what it would remove. Results, models
// and plans always stay.
//
// It may run beside everything else, because a plan is stored before its first
// checkpoint. Example of a sweep S that is submitted while garbage is collected,
// and that goes on from the checkpoints in folder F of a deleted sweep:
//
//	folders are listed        F is there, and no plan is known to need it
//	S is stored               F is needed from now on
//	plans are read again      S is among them: F stays
//
// If S is stored later still, F may go; then S finds no checkpoint and trains
// from step 0. Whatever S writes to F before F is removed is seen by a last look
// at F, and F stays.
//
// It removes nothing if any plan or manifest is damaged or of a newer version,
// since nobody knows what that one refers to. A run whose result is damaged keeps its
// checkpoints.
func (l *Ledger) CollectGarbage(ctx context.Context, before time.Time, dryRun bool) (Garbage, error) {
	g := newCollector(l, before, dryRun)
	out := Garbage{Folders: []GarbageFolder{}, DryRun: dryRun}
	if err := l.finishRemovals(ctx, dryRun); err != nil {
		return out, err
	}
	// Folders are listed before plans: what has come in since is in neither list.
	folders, err := storage.Folders(ctx, l.store)
	if err != nil {
		return out, err
	}
	folders = slices.DeleteFunc(folders, func(f storage.Folder) bool { return f.Name == removalFolder })
	inits, err := l.store.List(ctx, initsPrefix)
	if err != nil {
		return out, err
	}
	if err := g.look(ctx, folders, eachAtOnce); err != nil {
		return out, err
	}
	var mu sync.Mutex
	err = each(ctx, folders, eachAtOnce, func(ctx context.Context, f storage.Folder) error {
		found, err := g.collect(ctx, f)
		if found.Objects > 0 {
			mu.Lock()
			defer mu.Unlock()
			out.Folders = append(out.Folders, found)
		}
		return err
	})
	slices.SortFunc(out.Folders, func(a, b GarbageFolder) int { return strings.Compare(a.Folder, b.Folder) })
	if err == nil {
		out.Inits, err = g.collectInits(ctx, inits)
	}
	if cleaner, ok := l.store.(storage.Cleaner); ok && err == nil {
		ours := []string{foldersPrefix, sweepsPrefix, resultsPrefix, modelsPrefix, initsPrefix}
		out.Leftovers, err = cleaner.Clean(ctx, ours, before, dryRun)
	}
	return out, err
}

// The need of a folder counts the checkpoints that the runs which need it keep.
// These stand for folders that no run without a result needs.
const (
	unplanned = -2 // no plan needs it
	finished  = -1 // every run that needs it has its result
)

// A collector works out what the folders of a store are needed for.
type collector struct {
	ledger  *Ledger
	store   storage.Store
	before  time.Time
	dryRun  bool
	headers map[string][sha256.Size]byte // hashes of the plan headers read so far, by sweep
	folders map[string][]string          // names of the folders, by trajectory
	need    map[string]int               // by folder: checkpoints to keep, or unplanned or finished
	runs    map[string][]string          // by folder: the runs with a result that needed it
	inits   map[string]bool              // hashes of the models that cells of a plan begin from
}

func newCollector(l *Ledger, before time.Time, dryRun bool) *collector {
	return &collector{
		ledger: l, store: l.store, before: before, dryRun: dryRun,
		need: map[string]int{}, folders: map[string][]string{}, headers: map[string][sha256.Size]byte{},
		runs: map[string][]string{}, inits: map[string]bool{},
	}
}

// look works out what folders are needed for, which were listed before. It reads the manifests of atOnce of them at the
// same time.
func (g *collector) look(ctx context.Context, folders []storage.Folder, atOnce int) error {
	for _, f := range folders {
		g.need[f.Name] = unplanned
		t := plan.TrajectoryOf(f.Name)
		g.folders[t] = append(g.folders[t], f.Name)
	}
	if err := g.readPlans(ctx); err != nil {
		return err
	}
	if err := each(ctx, folders, atOnce, g.checkManifests); err != nil || g.dryRun {
		return err
	}
	return g.readPlans(ctx) // checking took a while, and plans may have been stored since
}

// readPlans notes what the plans need that were not read before, or that have
// been extended since they were.
func (g *collector) readPlans(ctx context.Context) error {
	all, err := g.ledger.sweeps(ctx)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(s *listedSweep) bool { return s.headers == 0 || s.removing })
	if len(all) == 0 {
		return nil
	}
	completed, err := g.ledger.CompletedRuns(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := g.readPlan(ctx, s, completed); err != nil {
			return err
		}
	}
	return nil
}

// readPlan notes what one plan needs, unless it is what was noted before.
func (g *collector) readPlan(ctx context.Context, s *listedSweep, completed map[string]bool) error {
	h, sum, err := g.ledger.header(ctx, s.id)
	if err == nil && g.headers[s.id] == sum {
		return nil
	}
	if err == nil {
		err = g.ledger.eachCell(ctx, h, s, completed, func(c grid.Cell) { g.noteCell(h, c, completed) })
	}
	if err != nil {
		return g.ledger.unlessRemoved(ctx, s.id, err)
	}
	g.headers[s.id] = sum
	return nil
}

// noteCell notes which folders a cell of a plan needs, or has finished with.
func (g *collector) noteCell(h *plan.Header, c grid.Cell, completed map[string]bool) {
	g.inits[c.Config.Init] = true
	need := max(1, h.Run.Checkpoint.Keep)
	if completed[h.RunID(c.ID)] {
		need = finished
	}
	all := h.Trajectories(c)
	if _, ok := g.need[all[0]]; ok { // the run's own folder
		g.note(all[0], need, h.RunID(c.ID))
	}
	for _, trunk := range all[1:] {
		for _, folder := range g.folders[trunk] {
			g.note(folder, need, h.RunID(c.ID))
		}
	}
}

// note notes that a run needs a folder, or that it has finished with it.
func (g *collector) note(folder string, need int, run string) {
	g.need[folder] = max(g.need[folder], need)
	if need == finished {
		g.runs[folder] = append(g.runs[folder], run)
	}
}

// isFinished reports whether all runs that needed a folder have a result that can be read.
// One that is damaged is trained again, from these checkpoints.
func (g *collector) isFinished(ctx context.Context, folder string) (bool, error) {
	for _, run := range g.runs[folder] {
		switch _, err := g.ledger.Result(ctx, run); {
		case errors.Is(err, storage.ErrCorrupt), errors.Is(err, storage.ErrNotFound):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("the checkpoints of a run stay while its result cannot be read: %w", err)
		}
	}
	return true, nil
}

// checkManifests returns an error if a manifest of a folder cannot be read.
func (g *collector) checkManifests(ctx context.Context, f storage.Folder) error {
	c, err := storage.NewCheckpoints(g.store, f.Name, nil)
	if err != nil {
		return err
	}
	_, err = c.Manifests(ctx)
	switch {
	case errors.Is(err, storage.ErrCorrupt):
		err = fmt.Errorf("nothing is removed while a manifest is damaged; "+
			"if it stays so, delete it: its checkpoint is lost: %w", err)
	case err != nil:
		err = fmt.Errorf("nothing is removed: %w", err)
	}
	return err
}

// collect removes what may go of a folder and returns what that was.
func (g *collector) collect(ctx context.Context, f storage.Folder) (GarbageFolder, error) {
	found := GarbageFolder{Folder: f.Name, Why: FolderPruned}
	garbage := f.Objects
	need := g.need[f.Name]
	if need == finished {
		if ok, err := g.isFinished(ctx, f.Name); !ok {
			return found, err
		}
	}
	switch {
	case need == finished:
		found.Why = FolderFinished
	case need == unplanned && f.Modified().Before(g.before):
		found.Why = FolderUnplanned
	case need == unplanned:
		found.Why = FolderYoung
	default:
		c, err := storage.NewCheckpoints(g.store, f.Name, nil)
		if err == nil {
			garbage, err = c.Garbage(ctx, need)
		}
		if err != nil {
			return found, err
		}
	}
	var err error
	if !g.dryRun && found.Why != FolderYoung {
		if need < 0 {
			// If somebody has written to it since it was listed, somebody needs it.
			now, err := storage.ListFolder(ctx, g.store, f.Name)
			isNew := func(o storage.Object) bool { return !slices.Contains(f.Objects, o) }
			if err != nil || slices.ContainsFunc(now.Objects, isNew) {
				return found, err
			}
		}
		garbage, err = storage.Remove(ctx, g.store, garbage)
	}
	found.Objects, found.Bytes = len(garbage), storage.Folder{Objects: garbage}.Bytes()
	return found, err
}

// eachAtOnce is how many folders are looked at at the same time where somebody waits for it.
const eachAtOnce = 8

// each calls do for all items, atOnce at a time, until one of them fails.
func each[T any](ctx context.Context, items []T, atOnce int, do func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan T)
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for item := range next {
				if ctx.Err() != nil {
					continue
				}
				if err := do(ctx, item); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, item := range items {
		next <- item
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

package activities

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
	"github.com/topksweep/sweep/sweep"
)

// Why a stage, or a part of it, goes or stays.
const (
	StageFinished  = "finished"  // every run that needs it has its result
	StageUnplanned = "unplanned" // no stored plan needs it
	StageYoung     = "young"     // nor this one, but it may belong to a sweep that is being submitted: it stays
	StagePruned    = "pruned"    // a run needs it, but not all that it holds
)

// Garbage is what a store holds that nothing refers to.
type Garbage struct {
	Stages    []GarbageStage `json:"stages"`
	Leftovers int            `json:"leftovers"` // unfinished uploads, temporary files, empty folders
	DryRun    bool           `json:"dry_run"`   // nothing was removed
}

// A GarbageStage is what was found of one stage.
type GarbageStage struct {
	Stage   string `json:"stage"`
	Why     string `json:"why"` // StageFinished, …
	Objects int    `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

// CollectGarbage removes from a store what nothing refers to: the stages of runs
// that have their results, stages of no stored plan if nothing was written to
// them since a time, checkpoints beyond those that runs keep, and what crashed
// writers left behind before that time. With dryRun it removes nothing and
// returns what it would. Results, models and plans always stay.
//
// It may run beside everything else: what a run is about to need is in a plan
// before it is in a stage. It removes nothing if any plan or manifest is damaged
// or of a newer version, since what that one refers to is not known.
func CollectGarbage(ctx context.Context, store storage.Store, before time.Time, dryRun bool) (Garbage, error) {
	g := &collector{store: store, before: before, dryRun: dryRun, need: map[string]int{}, folders: map[string][]string{}, plans: map[string][sha256.Size]byte{}}
	out := Garbage{Stages: []GarbageStage{}, DryRun: dryRun}
	// Stages before plans: what has come in since is in neither list.
	stages, err := storage.Folders(ctx, store)
	if err != nil {
		return out, err
	}
	for _, s := range stages {
		g.need[s.Name] = unplanned
		t := sweep.TrajectoryOf(s.Name)
		g.folders[t] = append(g.folders[t], s.Name)
	}
	if err := g.readPlans(ctx); err != nil {
		return out, err
	}
	if err := each(ctx, stages, g.readable); err != nil {
		return out, err
	}
	if !dryRun { // that took a while
		if err := g.readPlans(ctx); err != nil {
			return out, err
		}
	}
	var mu sync.Mutex
	err = each(ctx, stages, func(ctx context.Context, s storage.Folder) error {
		found, err := g.collect(ctx, s)
		if found.Objects > 0 {
			mu.Lock()
			defer mu.Unlock()
			out.Stages = append(out.Stages, found)
		}
		return err
	})
	slices.SortFunc(out.Stages, func(a, b GarbageStage) int { return strings.Compare(a.Stage, b.Stage) })
	if cleaner, ok := store.(storage.Cleaner); ok && err == nil {
		out.Leftovers, err = cleaner.Clean(ctx, []string{"stages/", "sweeps/", "results/", "models/"}, before, dryRun)
	}
	return out, err
}

// What the need of a stage is if no run without a result has it.
const (
	unplanned = -2
	finished  = -1
)

type collector struct {
	store   storage.Store
	before  time.Time
	dryRun  bool
	plans   map[string][sha256.Size]byte // headers as they were read, by sweep
	folders map[string][]string          // of stages, by trajectory
	need    map[string]int               // by stage: how many checkpoints its runs keep, or one of the above
}

// readPlans notes what the plans need that were not read before, or have grown
// since.
func (g *collector) readPlans(ctx context.Context) error {
	objects, err := g.store.List(ctx, "sweeps/")
	if err != nil {
		return err
	}
	var plans []string
	chunks := map[string]int{}
	for _, o := range objects {
		id, file, _ := strings.Cut(strings.TrimPrefix(o.Key, "sweeps/"), "/")
		if o.Key == sweep.PlanKey(id) {
			plans = append(plans, id)
		}
		if strings.HasPrefix(file, "cells-") {
			chunks[id]++
		}
	}
	if len(plans) == 0 {
		return nil
	}
	results, err := g.store.List(ctx, "results/")
	if err != nil {
		return err
	}
	done := make(map[string]bool, len(results))
	for _, o := range results {
		done[o.Key] = true
	}
	for _, id := range plans {
		if err := g.readPlan(ctx, id, chunks[id], done); err != nil {
			return fmt.Errorf("nothing is removed, for what this plan needs is not known: %w", err)
		}
	}
	return nil
}

// readPlan notes what one plan needs. There may be more chunks of cells than its
// header says, and more cells in them: it is being extended.
func (g *collector) readPlan(ctx context.Context, id string, chunks int, done map[string]bool) error {
	key := sweep.PlanKey(id)
	b, err := storage.ReadAll(ctx, g.store, key, maxChunk)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	if g.plans[id] == sum {
		return nil
	}
	plan, err := sweep.DecodeHeader(b)
	if err != nil {
		return storage.Wrap("get", key, err)
	}
	cells := 0
	for i := range max(chunks, plan.Chunks()) {
		chunk, err := ReadChunk(ctx, g.store, id, i)
		if err != nil {
			return storage.Wrap("get", sweep.ChunkKey(id, i), err)
		}
		cells += len(chunk)
		for _, c := range chunk {
			need := max(1, plan.Run.Checkpoint.Keep)
			run := run{id: plan.RunID(c.ID), plan: plan, cell: c}
			switch {
			case done[sweep.ResultKey(run.id)]:
				need = finished
			case !run.genuine(): // a bit more or less in an ID, and its stages would be nobody's
				return fmt.Errorf("%w: cell %s has other settings than its ID says: damaged, or of another version of sweep; submit its grid again, or delete the plan", storage.Wrap("get", sweep.ChunkKey(id, i), storage.ErrCorrupt), c.ID)
			}
			all := plan.Trajectories(c)
			if have, ok := g.need[all[0]]; ok { // the run's own folder
				g.need[all[0]] = max(have, need)
			}
			for _, trunk := range all[1:] {
				for _, stage := range g.folders[trunk] {
					g.need[stage] = max(g.need[stage], need)
				}
			}
		}
	}
	if plan.ID != id || cells < plan.CellCount {
		return storage.Wrap("get", key, fmt.Errorf("%w: sweep %s with %d cells, of which %d are there", storage.ErrCorrupt, plan.ID, plan.CellCount, cells))
	}
	g.plans[id] = sum
	return nil
}

// readable says that all manifests of a stage can be read.
func (g *collector) readable(ctx context.Context, s storage.Folder) error {
	c, err := storage.NewCheckpoints(g.store, s.Name, nil)
	if err != nil {
		return err
	}
	_, err = c.Manifests(ctx)
	switch {
	case errors.Is(err, storage.ErrCorrupt):
		err = fmt.Errorf("nothing is removed while a manifest is damaged; if it stays so, delete it: its checkpoint is lost: %w", err)
	case err != nil:
		err = fmt.Errorf("nothing is removed: %w", err)
	}
	return err
}

// collect removes what may go of a stage and returns what that was.
func (g *collector) collect(ctx context.Context, s storage.Folder) (GarbageStage, error) {
	found := GarbageStage{Stage: s.Name, Why: StagePruned}
	garbage := s.Objects
	need := g.need[s.Name]
	switch {
	case need == finished:
		found.Why = StageFinished
	case need == unplanned && s.Modified().Before(g.before):
		found.Why = StageUnplanned
	case need == unplanned:
		found.Why = StageYoung
	default:
		c, err := storage.NewCheckpoints(g.store, s.Name, nil)
		if err == nil {
			garbage, err = c.Garbage(ctx, need)
		}
		if err != nil {
			return found, err
		}
	}
	var err error
	if !g.dryRun && found.Why != StageYoung {
		if need < 0 {
			// Somebody who writes to it again has need of it.
			now, err := storage.ListFolder(ctx, g.store, s.Name)
			isNew := func(o storage.Object) bool { return !slices.Contains(s.Objects, o) }
			if err != nil || slices.ContainsFunc(now.Objects, isNew) {
				return found, err
			}
		}
		garbage, err = storage.Remove(ctx, g.store, garbage)
	}
	found.Objects, found.Bytes = len(garbage), storage.Folder{Objects: garbage}.Bytes()
	return found, err
}

// each calls do for all stages, some at a time, until one of them fails.
func each(ctx context.Context, stages []storage.Folder, do func(context.Context, storage.Folder) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan storage.Folder)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for s := range next {
				if ctx.Err() != nil {
					continue
				}
				if err := do(ctx, s); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, s := range stages {
		next <- s
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

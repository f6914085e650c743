package ledger

import (
	"context"
	"slices"
	"strings"

	"github.com/topksweep/sweep/storage"
)

// A GarbageInit is a model to begin from that no stored plan names.
type GarbageInit struct {
	Hash  string `json:"hash"`
	Why   string `json:"why"` // FolderUnplanned, or FolderYoung: then it stays
	Bytes int64  `json:"bytes"`
}

// collectInits removes of the models to begin from, as they were listed before the plans were read, those that may go,
// and returns what that was. A model of a plan stays also where all its cells have results: it is what they began from,
// and sweep extend and retry may need it again.
//
// A sweep may be submitted meanwhile that begins from a model which is there already. So plans are read once more
// before anything goes, and whoever submits looks for its models again once its plan is stored.
func (g *collector) collectInits(ctx context.Context, listed []storage.Object) ([]GarbageInit, error) {
	var out []GarbageInit
	unnamed := func() (objects []storage.Object) {
		for _, o := range listed {
			if hash := initOfKey(o.Key); hash != "" && !g.inits[hash] {
				objects = append(objects, o)
			}
		}
		return objects
	}
	if len(unnamed()) == 0 {
		return nil, nil
	}
	if err := g.readPlans(ctx); err != nil {
		return nil, err
	}
	var remove []storage.Object
	for _, o := range unnamed() {
		found := GarbageInit{Hash: initOfKey(o.Key), Why: FolderYoung, Bytes: o.Size}
		if o.Modified.Before(g.before) {
			found.Why = FolderUnplanned
			remove = append(remove, o)
		}
		out = append(out, found)
	}
	if g.dryRun || len(remove) == 0 {
		return out, nil
	}
	gone, err := storage.Remove(ctx, g.store, remove)
	out = slices.DeleteFunc(out, func(i GarbageInit) bool {
		return i.Why == FolderUnplanned && !slices.ContainsFunc(gone, func(o storage.Object) bool {
			return initOfKey(o.Key) == i.Hash
		})
	})
	return out, err
}

// initOfKey returns the hash of the model to begin from that lies under a key, or "" for any other key.
func initOfKey(key string) string {
	hash := strings.TrimSuffix(strings.TrimPrefix(key, initsPrefix), initSuffix)
	if !isInitHash(hash) || InitKey(hash) != key {
		return ""
	}
	return hash
}

package ledger

import (
	"context"
	"slices"
	"sync"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
)

// Objects that are read at a time: each takes the time of a disk, or of a way to a server and back.
const (
	chunksAtOnce  = 4
	resultsAtOnce = 8 // of each chunk
)

// Outcomes read what the cells of a plan have come to, chunk by chunk. Many goroutines may use them.
type Outcomes struct {
	l      *Ledger
	h      *plan.Header
	listed []storage.Object // the results of the store; nil for a plan of one chunk, which has no shards

	mu      sync.Mutex
	collect bool            // store shards that are missing or damaged
	used    map[string]bool // the keys of the shards that belong to the plan's results as they are now
}

// Outcomes prepares to read what the cells of a plan have come to. Of a plan of several chunks it lists the results of
// the store, and reads shards where there are any.
func (l *Ledger) Outcomes(ctx context.Context, h *plan.Header) (*Outcomes, error) {
	o := &Outcomes{l: l, h: h, used: map[string]bool{}}
	if h.Chunks() < 2 {
		return o, nil
	}
	var err error
	o.listed, err = l.store.List(ctx, resultsPrefix)
	return o, err
}

// Chunk reads what the cells of one chunk have come to, in their order: the result of a cell, the note that it failed
// or was canceled, or that it is pending.
func (o *Outcomes) Chunk(ctx context.Context, chunk int) ([]Result, error) {
	cells, err := o.l.Cells(ctx, o.h, chunk)
	if err != nil {
		return nil, err
	}
	s, whole := shardOf(o.h, chunk, cells, o.listed)
	if whole {
		// Whatever is wrong with a shard, the results themselves are there too.
		if out, err := o.l.readShard(ctx, s); err == nil {
			for i, c := range cells {
				out[i] = out[i].of(o.h, c)
			}
			o.use(s.key)
			return out, nil
		}
	}
	out, texts, err := o.each(ctx, cells)
	if err == nil && whole && o.collect && !slices.ContainsFunc(out, func(r Result) bool { return r.Renamed }) {
		if err = o.l.writeShard(ctx, s, texts); err == nil {
			o.use(s.key)
		}
	}
	return out, err
}

// use notes that a shard stays.
func (o *Outcomes) use(key string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.used[key] = true
}

// each reads what cells have come to, from an object for each, and returns the texts of the results too.
func (o *Outcomes) each(ctx context.Context, cells []grid.Cell) (out []Result, texts [][]byte, err error) {
	out, texts = make([]Result, len(cells)), make([][]byte, len(cells))
	err = each(ctx, numbers(len(cells)), resultsAtOnce, func(ctx context.Context, i int) (err error) {
		out[i], texts[i], err = o.l.outcome(ctx, o.h, cells[i])
		return err
	})
	return out, texts, err
}

// all reads all chunks, several at a time.
func (o *Outcomes) all(ctx context.Context) ([]Result, error) {
	out := make([]Result, o.h.CellCount)
	err := each(ctx, numbers(o.h.Chunks()), chunksAtOnce, func(ctx context.Context, i int) error {
		chunk, err := o.Chunk(ctx, i)
		copy(out[i*plan.ChunkSize:], chunk)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func numbers(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// Results reads what every cell of a plan has come to, in the plan's order, as Outcomes do.
func (l *Ledger) Results(ctx context.Context, h *plan.Header) ([]Result, error) {
	o, err := l.Outcomes(ctx, h)
	if err != nil {
		return nil, err
	}
	return o.all(ctx)
}

// CollectResults is Results, and stores the shards that are missing or damaged. So after an error the next call goes on
// where this one ended: what has a shard by then takes few reads. Shards of results as they were before go. A chunk
// with results of other names than the plan's gets no shard: they are about to be renamed.
func (l *Ledger) CollectResults(ctx context.Context, h *plan.Header) ([]Result, error) {
	o, err := l.Outcomes(ctx, h)
	if err != nil {
		return nil, err
	}
	o.collect = true
	out, err := o.all(ctx)
	if err != nil || h.Chunks() < 2 {
		return out, err
	}
	return out, o.removeUnused(ctx)
}

// removeUnused removes the shards of results as they were before.
func (o *Outcomes) removeUnused(ctx context.Context) error {
	there, err := o.l.store.List(ctx, shardsPrefix(o.h.ID))
	if err != nil {
		return err
	}
	for _, s := range there {
		if !o.used[s.Key] {
			if err := o.l.store.Delete(ctx, s.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
)

// A shard is one object with the results of a chunk of a sweep's cells, as they are stored, one after the other in the
// order of the cells. It saves one read for each of them. It is there for readers alone: a run has a result if it has
// its own object. So the shard of a chunk is named by what a listing says of these objects, and holds as many bytes as
// they have together:
//
//	results/ab12….json   1,672 bytes, of 10:00:01.5    \
//	results/cd34….json   1,668 bytes, of 10:00:02.1     > sweeps/demo-1a2b/shards/000003-9f86d081884c7d65.json
//	…                                                  /
//
// A chunk has a shard only if each of its cells has a result. Where one is removed, trained again or gets other names,
// and where the sweep is extended by cells of this chunk, readers look for a shard of another name and do not find it.
// Each result has its seal in the shard, too. So a shard is right or it is not used, and nobody needs to remove one.
type shard struct {
	key   string
	runs  []string
	sizes []int64 // of the results, in bytes
	bytes int64   // of all of them
}

// shardOf returns the shard that a chunk of cells would have; ok is false if a result is missing among those listed,
// which are in the order of their keys.
func shardOf(h *plan.Header, chunk int, cells []grid.Cell, listed []storage.Object) (s shard, ok bool) {
	what := sha256.New()
	for _, c := range cells {
		run := h.RunID(c.ID)
		i, ok := slices.BinarySearchFunc(listed, ResultKey(run), func(o storage.Object, key string) int {
			return strings.Compare(o.Key, key)
		})
		if !ok {
			return s, false
		}
		o := listed[i]
		fmt.Fprintf(what, "%s %d %d\n", run, o.Size, o.Modified.UnixNano())
		s.runs, s.sizes, s.bytes = append(s.runs, run), append(s.sizes, o.Size), s.bytes+o.Size
	}
	s.key = shardKey(h.ID, chunk, hex.EncodeToString(what.Sum(nil)[:8]))
	return s, len(cells) > 0
}

// readShard reads the results of a shard. The error wraps storage.ErrNotFound if there is none, and storage.ErrCorrupt
// if it is damaged, as storage.Read proves it.
func (l *Ledger) readShard(ctx context.Context, s shard) ([]Result, error) {
	return storage.Read(ctx, l.store, s.key, s.bytes, s.parse)
}

// parse cuts a shard into its results. The error wraps storage.ErrCorrupt.
func (s shard) parse(b []byte) ([]Result, error) {
	if int64(len(b)) != s.bytes {
		return nil, fmt.Errorf("%w: a shard of %d bytes, want %d", storage.ErrCorrupt, len(b), s.bytes)
	}
	out := make([]Result, len(s.runs))
	for i, run := range s.runs {
		var err error
		if out[i], err = parseResult(b[:s.sizes[i]], run); err != nil {
			return nil, err
		}
		b = b[s.sizes[i]:]
	}
	return out, nil
}

// writeShard stores a shard, of the texts of its results. It does nothing if one of them has changed since it was
// listed.
func (l *Ledger) writeShard(ctx context.Context, s shard, texts [][]byte) error {
	body := make([]byte, 0, s.bytes)
	for i, text := range texts {
		if int64(len(text)) != s.sizes[i] {
			return nil
		}
		body = append(body, text...)
	}
	return storage.PutBytes(ctx, l.store, s.key, body)
}

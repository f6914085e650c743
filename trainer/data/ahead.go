package data

import (
	"context"
	"slices"
	"sync"
)

const (
	aheadOf     = 512 // spans of rows that are remembered: two for each run
	aheadAtOnce = 8   // reads
)

// ahead reads objects before their rows are asked for: with shuffle: blocks the window that a run is in and the next
// one, else all of them. What it cannot read the run finds out.
type ahead struct {
	mu    sync.Mutex
	begun []span // the newest last
	all   sync.WaitGroup
}

// A span is a window of an epoch; window −1 is all rows.
type span struct{ seed, epoch, window int64 }

// enter notes that a run reads n rows at a place of an epoch.
func (a *ahead) enter(s *Set, seed, epoch, at, n int64) {
	files, ok := s.files.(*sourceFiles)
	if !ok || s.shards == nil || !s.shards.remote() {
		return
	}
	spans := []span{{window: -1}}
	if b := s.order.blocks; b != nil {
		first, last := b.windowOf(at), b.windowOf(at+n-1)
		spans = spans[:0]
		for w := first; w <= last; w++ {
			spans = append(spans, span{seed, epoch, w})
		}
		if last++; last < b.windows {
			spans = append(spans, span{seed, epoch, last})
		} else {
			spans = append(spans, span{seed, epoch + 1, 0})
		}
	}
	for _, p := range spans {
		a.begin(files.remote.ctx, s, p)
	}
}

// begin reads a span unless that was begun.
func (a *ahead) begin(ctx context.Context, s *Set, p span) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, old := range a.begun {
		if old == p {
			return
		}
	}
	if a.begun = append(a.begun, p); len(a.begun) > aheadOf {
		a.begun = a.begun[1:]
	}
	if ctx.Err() != nil {
		return
	}
	a.all.Go(func() {
		rows := make(chan [2]int64)
		var readers sync.WaitGroup
		for range aheadAtOnce {
			readers.Go(func() {
				for r := range rows {
					if ctx.Err() == nil {
						s.shards.have(r[0], r[1])
					}
				}
			})
		}
		s.spanRows(p, func(from, to int64) { rows <- [2]int64{from, to} })
		close(rows)
		readers.Wait()
	})
}

// spanRows calls do with runs of rows, as they lie in the shards.
func (s *Set) spanRows(p span, do func(from, to int64)) {
	b := s.order.blocks
	if b == nil {
		for i := range s.shards.list {
			sh := &s.shards.list[i]
			do(sh.first, sh.first+sh.rows)
		}
		return
	}
	stored := func(row int64) int64 { return row }
	if k, ok := s.src.(*kept); ok {
		stored = k.number
	}
	order := s.order.epoch(p.seed, p.epoch).order
	for i := b.start(p.window); i < b.start(p.window+1); i++ {
		row := b.base(b.first + order.at(i)*b.size)
		do(stored(row), stored(row+b.size-1)+1)
	}
}

// object returns the object from which the rows of a shard are read, or nil if that is a file.
func (sh *shard) object() *remoteFile {
	f, _ := sh.file.(checkedFile).shardFile.(*remoteFile)
	return f
}

// have makes rows be in the cache, as far as there is room.
func (s *shards) have(from, to int64) {
	for from < to {
		sh := s.shardOf(from)
		n := min(to, sh.first+sh.rows) - from
		if f := sh.object(); f != nil {
			off, size := sh.start+(from-sh.first)*sh.rowBytes(), n*sh.rowBytes()
			if sh.parts != nil { // rows lie all over the file, about as far apart as if they were the whole of it
				per := f.Size() / sh.rows
				off, size = (from-sh.first)*per, n*per
			}
			f.cached().Have(off, size)
		}
		from += n
	}
}

func (a *ahead) wait() { a.all.Wait() }

// noteRoom notes that the cache cannot be used, or has no room for the objects that are read at a time.
func (s *Set) noteRoom(add func(format string, a ...any)) {
	if s.shards == nil || !slices.ContainsFunc(s.shards.list, func(sh shard) bool { return sh.object() != nil }) {
		return // copies of objects lie on this machine
	}
	const mib = 1 << 20
	if err := s.opts.Chunks.Usable(); err != nil {
		add("nothing can be kept in the cache of objects: %v; rows are read one by one, a request for each: name a folder "+
			"that can be written to with --cache", err)
		return
	}
	need, room, hint := s.shards.bytes(), s.opts.Chunks.Limit(), "raise --cache-size, or set data.shuffle to blocks"
	if b := s.order.blocks; b != nil {
		block := b.size*s.shards.list[0].rowBytes() + s.opts.Chunks.Part() // in the mean it touches one part more
		need, hint = min(need, 2*min(windowBlocks, b.train)*block), "raise --cache-size"
	}
	if need > room {
		add("the cache has room for %d MiB, and the objects that are needed at a time take %d MiB: rows of what does not "+
			"fit are read one by one, a request for each; %s", room/mib, (need+mib-1)/mib, hint)
	}
}

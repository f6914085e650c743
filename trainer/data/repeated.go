package data

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/topksweep/sweep/trainer"
)

// maxCompared bounds how many held-out rows are looked for among the training rows, as
// each takes memory.
const maxCompared = 1 << 22

// repeats counts the held-out rows that are training rows too. Rows are compared as they
// are stored. Where shards differ in dtype they are compared in the least exact one, so
// that a copy that was converted to it is found.
//
// A row is looked up by a hash of 64 bits, and then compared byte by byte. Before that, a
// filter says of most rows that they are no held-out row, after a look at three words of
// them: hashing all of each row would take a third of the time of SHA-256.
type repeats struct {
	shards *shards // that hold the held-out rows
	apart  bool    // none of their rows is a training row
	mixed  bool    // shards differ in dtype
	least  dtype   // see leastExact
	held   []int64 // held-out rows, sorted
	seed   maphash.Seed
	filter []uint64
	groups map[uint64][]*heldGroup
}

// A heldGroup is held-out rows that are equal.
type heldGroup struct {
	row   int64 // one of them
	count int64
	found atomic.Bool // a training row is equal
}

// newRepeats reads held, the numbers in shards of the held-out rows as stored. train holds the training rows, and may
// be the same shards.
func newRepeats(ctx context.Context, s, train *shards, held []int64, workers int) (*repeats, error) {
	all := s.list
	if train != s {
		all = slices.Concat(s.list, train.list)
	}
	r := &repeats{shards: s, apart: train != s, held: slices.Sorted(slices.Values(held)),
		mixed: slices.ContainsFunc(all, func(sh shard) bool { return sh.dtype != all[0].dtype }),
		least: leastExact(all), seed: maphash.MakeSeed(), groups: map[uint64][]*heldGroup{}}
	size := 64
	for size < 16*len(held) {
		size *= 2
	}
	r.filter = make([]uint64, size/64)
	type part struct {
		sums []uint64
		err  error
	}
	var failed error
	next := 0
	err := inOrder(ctx, workers, int64(len(r.held)), 256, func(from, to int64) (p part) {
		for _, row := range r.held[from:to] {
			key, err := r.keyOf(row)
			if err != nil {
				p.err = err
				return p
			}
			p.sums = append(p.sums, maphash.Bytes(r.seed, key))
		}
		return p
	}, func(p part) {
		for _, sum := range p.sums {
			if failed == nil {
				failed = r.group(r.held[next], sum)
			}
			next++
		}
		if failed == nil {
			failed = p.err
		}
	})
	if failed == nil {
		failed = err
	}
	return r, failed
}

// bit returns which bit of the filter stands for a row.
func (r *repeats) bit(key []byte) uint64 {
	var words uint64
	if last := len(key) - 8; last >= 0 {
		words = binary.LittleEndian.Uint64(key) ^
			bits.RotateLeft64(binary.LittleEndian.Uint64(key[last/2:]), 21) ^
			bits.RotateLeft64(binary.LittleEndian.Uint64(key[last:]), 42)
	} else {
		words = maphash.Bytes(r.seed, key)
	}
	return trainer.Mix(words) & uint64(64*len(r.filter)-1) // the size is a power of two
}

// group adds a held-out row to the group of those that are equal to it.
func (r *repeats) group(row int64, sum uint64) error {
	key, err := r.keyOf(row)
	if err != nil {
		return err
	}
	bit := r.bit(key)
	r.filter[bit/64] |= 1 << (bit % 64)
	groups := r.groups[sum]
	for _, g := range groups {
		if equal, err := r.equal(g, key); err != nil || equal {
			g.count++
			return err
		}
	}
	r.groups[sum] = append(groups, &heldGroup{row: row, count: 1})
	return nil
}

// visit is a rowVisitor: it looks a row up, if it is a training row. A row that max_norm
// leaves out is equal to no held-out row, as its norm is larger, unless rounding makes it so.
func (r *repeats) visit(sh *shard, row int64, raw []byte) error {
	key := r.key(sh, raw)
	if bit := r.bit(key); r.filter[bit/64]&(1<<(bit%64)) == 0 {
		return nil
	}
	for _, g := range r.groups[maphash.Bytes(r.seed, key)] {
		if g.found.Load() || r.isHeld(row) {
			continue
		}
		equal, err := r.equal(g, key)
		if err != nil {
			return err
		}
		if equal {
			g.found.Store(true)
		}
	}
	return nil
}

// count returns how many held-out rows are training rows too.
func (r *repeats) count() (n int64) {
	for _, groups := range r.groups {
		for _, g := range groups {
			if g.found.Load() {
				n += g.count
			}
		}
	}
	return n
}

func (r *repeats) equal(g *heldGroup, key []byte) (bool, error) {
	other, err := r.keyOf(g.row)
	return bytes.Equal(other, key), err
}

// keyOf reads a row and returns what key does.
func (r *repeats) keyOf(row int64) ([]byte, error) {
	sh := r.shards.shardOf(row)
	raw := make([]byte, sh.rowBytes())
	if n, err := sh.ReadAt(raw, (row-sh.first)*sh.rowBytes()); n < len(raw) {
		return nil, err
	}
	return r.key(sh, raw), nil
}

// key returns what is compared of a row that is given as stored.
func (r *repeats) key(sh *shard, raw []byte) []byte {
	if !r.mixed {
		return raw
	}
	x := make([]float32, sh.dim)
	sh.dtype.decode(x, raw, 1, r.shards.half)
	key := make([]byte, 0, 4*sh.dim)
	for _, v := range x {
		key = binary.LittleEndian.AppendUint32(key, math.Float32bits(r.least.round(v)))
	}
	return key
}

// isHeld reports whether a row of the training shards is held out.
func (r *repeats) isHeld(row int64) bool {
	if r.apart {
		return false
	}
	_, ok := slices.BinarySearch(r.held, row)
	return ok
}

// repeatedKey names in the cache which rows are held out.
func (s *Set) repeatedKey() string {
	if s.apart != nil {
		return fmt.Sprintf("%d %x %x", s.info.EvalRows, math.Float64bits(s.info.MaxNorm), s.apart.content.digest[:])
	}
	return fmt.Sprintf("%d %x", s.info.EvalRows, math.Float64bits(s.info.MaxNorm))
}

// newRepeats returns what counts the set's held-out rows.
func (s *Set) newRepeats(ctx context.Context) (*repeats, error) {
	in := s
	if s.apart != nil {
		in = s.apart
	}
	held := make([]int64, min(s.info.EvalRows, maxCompared))
	k, _ := in.src.(*kept)
	for i := range held {
		if held[i] = in.order.base(int64(i)); k != nil {
			held[i] = k.number(held[i])
		}
	}
	return newRepeats(ctx, in.shards, s.shards, held, s.opts.Workers)
}

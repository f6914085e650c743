package data

import "github.com/topksweep/sweep/trainer"

// An order says which rows are held out, and in which order epochs visit the others. Its base order has every row once:
// the held-out rows first, then those to train on, which positions from 0 on name. With shuffle: full it is one
// pseudorandom permutation of all rows, and every epoch is another one.
type order struct {
	rows   perm
	train  int64       // rows to train on
	blocks *blockOrder // in place of the permutations; nil for shuffle: full
}

func newFullOrder(rows, held int64) order {
	return order{rows: newPerm(rows, 0, streamBase, 0), train: rows - held}
}

// base returns the row at a place of the base order.
func (o *order) base(place int64) int64 {
	if o.blocks != nil {
		return o.blocks.base(place)
	}
	return o.rows.at(place)
}

// epoch returns the order of an epoch for one seed.
func (o *order) epoch(seed, epoch int64) epochOrder {
	if b := o.blocks; b != nil {
		return epochOrder{blocks: b, seed: uint64(seed), epoch: uint64(epoch), window: -1,
			order: newPerm(max(1, b.train), uint64(seed), streamEpoch, uint64(epoch))}
	}
	return epochOrder{order: newPerm(o.train, uint64(seed), streamEpoch, uint64(epoch))}
}

// An epochOrder tells which of the rows to train on an epoch visits at each place. It is for one goroutine.
type epochOrder struct {
	order  perm        // of rows, or of blocks
	blocks *blockOrder // nil: of rows

	seed, epoch  uint64
	window, from int64 // the window that mixed is of, and the number of blocks before it
	mixed        perm
}

func (v *epochOrder) at(at int64) int64 {
	o := v.blocks
	if o == nil {
		return v.order.at(at)
	}
	if w := o.windowOf(at); w != v.window {
		v.window, v.from = w, o.start(w)
		v.mixed = newPerm(o.windowRows(w), trainer.Rand(v.seed, streamWindow, v.epoch), streamWindow, uint64(w))
	}
	i := v.mixed.at(at - v.from*o.size)
	if block := v.from + i/o.size; block < o.train {
		return o.first - o.held + v.order.at(block)*o.size + i%o.size
	}
	return o.oddRow(i - (o.train-v.from)*o.size)
}

// A block is so many numbers, or one row where a row has more, or fewer rows where the source would have less than
// minBlocks blocks. A window is so many blocks at most.
const (
	orderBlockNumbers = 1 << 22 // 8 MiB in 16 bits
	minBlocks         = 1024
	windowBlocks      = 64
)

// A blockOrder reads rows that lie together at about the same time, for sources that cannot be held near: it permutes
// blocks of rows, and then the rows within windows of blocks. Every epoch visits every row to train on once.
//
// The base order permutes the whole blocks of the source; the rows of a short last block come after them in their own
// order. The first rows are held out. Blocks that train wholly are permuted again for every epoch, and
// split into windows of windowBlocks blocks or somewhat fewer, all alike. The rows of a window are visited in a
// pseudorandom order. The last window also has the rows that are in no whole block to train on: those of a block of
// which others are held out, and those of the short block.
//
// An example with 23 rows, blocks of 4 and 5 rows held out. Let the base order of the whole blocks be 3 1 0 4 2:
//
//	held out            12 13 14 15   4
//	odd                  5 6 7, and 20 21 22 of the short block
//	blocks to train on   0 4 2, which is rows 0-3, 16-19, 8-11
//
// With windows of 2 blocks, and an epoch that has the blocks in the order 4 2 0, the first window is rows 16-19 mixed
// and the second one is rows 8-11, 0-3 and the odd rows, mixed.
type blockOrder struct {
	size    int64 // rows of a block
	whole   int64 // rows in whole blocks
	blocks  perm  // of the whole blocks
	held    int64
	first   int64 // place in the base order at which the blocks that train wholly begin
	train   int64 // number of these blocks
	odd     int64 // rows to train on that are in none of them
	windows int64
}

func newBlockOrder(rows, held int64, dim int) order {
	return blocksOf(rows, held, max(1, min(orderBlockNumbers/int64(dim), rows/minBlocks)), windowBlocks)
}

func blocksOf(rows, held, size, window int64) order {
	n := rows / size
	o := &blockOrder{size: size, whole: n * size, held: held, blocks: newPerm(max(1, n), 0, streamBase, 0)}
	o.first = min((held+size-1)/size*size, o.whole)
	o.train = (o.whole - o.first) / size
	o.odd = rows - held - o.train*size
	o.windows = max(1, (o.train+window-1)/window)
	return order{train: rows - held, blocks: o}
}

func (o *blockOrder) base(place int64) int64 {
	if place >= o.whole {
		return place
	}
	return o.blocks.at(place/o.size)*o.size + place%o.size
}

// start returns the number of blocks before a window.
func (o *blockOrder) start(window int64) int64 { return window * o.train / o.windows }

// windowOf returns the window of a place of an epoch.
func (o *blockOrder) windowOf(at int64) int64 {
	if at >= o.train*o.size {
		return o.windows - 1
	}
	return ((at/o.size+1)*o.windows - 1) / o.train
}

// windowRows returns the number of rows of a window.
func (o *blockOrder) windowRows(window int64) int64 {
	rows := (o.start(window+1) - o.start(window)) * o.size
	if window == o.windows-1 {
		rows += o.odd
	}
	return rows
}

// oddRow returns the i-th of the rows to train on that are in no whole block.
func (o *blockOrder) oddRow(i int64) int64 {
	if before := max(0, o.first-o.held); i >= before {
		return i + o.train*o.size
	}
	return i
}

package data

import (
	"slices"
	"testing"
)

// orderSizes are rows, held-out rows, rows of a block and blocks of a window.
var orderSizes = [][4]int64{
	{23, 5, 4, 2}, {23, 4, 4, 2}, {24, 8, 4, 2}, {24, 7, 4, 64}, {1, 0, 1, 64}, {5, 4, 4, 2}, {23, 22, 4, 2},
	{23, 20, 4, 2}, {23, 21, 4, 2}, {23, 17, 4, 2},
	{4096, 409, 4, 64}, {5000, 500, 4, 7}, {997, 0, 10, 3}, {97, 96, 1, 64},
}

// Every epoch visits every row once that is not held out, and never another one.
func TestOrders(t *testing.T) {
	for _, c := range orderSizes {
		rows, held := c[0], c[1]
		for name, o := range map[string]order{
			"full": newFullOrder(rows, held), "blocks": blocksOf(rows, held, c[2], c[3]),
			"blocks of a source": newBlockOrder(rows, held, 8),
		} {
			seen := make([]int, rows)
			for place := range held {
				seen[o.base(place)]++
			}
			for seed := range int64(2) {
				for epoch := range int64(3) {
					at := o.epoch(seed, epoch)
					for i := range rows - held {
						seen[o.base(held+at.at(i))] += 10
					}
				}
			}
			for row, n := range seen {
				if n != 1 && n != 60 {
					t.Fatalf("%s %v: row %d is seen %d times", name, c, row, n)
				}
			}
		}
	}
}

// Orders differ between epochs and seeds, and do not depend on where an epoch is entered.
func TestOrdersDiffer(t *testing.T) {
	for name, o := range map[string]order{"full": newFullOrder(4096, 400), "blocks": blocksOf(4096, 400, 16, 8)} {
		var all [][]int64
		for _, of := range [][2]int64{{0, 0}, {0, 1}, {1, 0}} {
			at := o.epoch(of[0], of[1])
			var places []int64
			for i := range int64(3696) {
				places = append(places, at.at(i))
			}
			for i := int64(3695); i >= 0; i -= 13 {
				if again := o.epoch(of[0], of[1]); again.at(i) != places[i] {
					t.Fatalf("%s: place %d of epoch %v is %d where the epoch is entered there, and %d",
						name, i, of, again.at(i), places[i])
				}
			}
			for _, other := range all {
				if same := equalPlaces(places, other); same > 40 {
					t.Errorf("%s: %d places of two orders are the same", name, same)
				}
			}
			all = append(all, places)
		}
	}
}

func equalPlaces(a, b []int64) (n int) {
	for i := range a {
		if a[i] == b[i] {
			n++
		}
	}
	return n
}

// While an epoch is in a window, it reads rows of so many blocks, and no block is read in two windows but for the odd
// rows.
func TestWindows(t *testing.T) {
	const rows, held, size, window = 10_007, 1_003, 10, 8
	all := blocksOf(rows, held, size, window)
	o := all.blocks
	if o.windows < 2 {
		t.Fatal("one window")
	}
	at := all.epoch(7, 3)
	windows := map[int64]map[int64]bool{} // blocks that a window reads
	var order []int64
	for i := range int64(rows - held) {
		w := o.windowOf(i)
		if windows[w] == nil {
			windows[w] = map[int64]bool{}
			order = append(order, w)
		}
		windows[w][o.base(held+at.at(i))/size] = true
	}
	if int64(len(order)) != o.windows || !slices.IsSorted(order) {
		t.Errorf("windows are visited as %v", order)
	}
	in := map[int64]int{}
	for w, blocks := range windows {
		most := window
		if w == o.windows-1 {
			most += 2 // of the odd rows
		}
		if len(blocks) > most || len(blocks) < window/2 {
			t.Errorf("window %d reads %d blocks", w, len(blocks))
		}
		for b := range blocks {
			in[b]++
		}
	}
	several := 0
	for _, n := range in {
		if n > 1 {
			several++
		}
	}
	if several > 0 {
		t.Errorf("%d blocks are read in several windows", several)
	}
}

// The order is part of what a resumed run repeats, and so of the fingerprint: it does not change.
func TestBlockOrderStays(t *testing.T) {
	o := newBlockOrder(1<<20, 1000, 8)
	at := o.epoch(3, 2)
	var got []int64
	for _, i := range []int64{0, 1, 2, 1 << 19, 1<<20 - 1001} {
		got = append(got, o.base(i), o.base(1000+at.at(min(i, 1<<20-1001))))
	}
	want := []int64{401408, 492670, 401409, 890251, 401410, 348017, 792576, 685854, 389143, 240344}
	if !slices.Equal(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}
}

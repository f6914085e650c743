//go:build cuda

package kernels

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// sorted selects by a stable sort the k largest ReLU values of the latents that allowed
// allows; of equal values the lowest latents. The result is in order of latent.
func sorted(pre []float32, k int, allowed func(int) bool, zeros bool) (acts []float32, latents []int32) {
	var order []int
	for f, v := range pre {
		if allowed(f) && (zeros || v > 0 || v != v) {
			order = append(order, f)
		}
	}
	value := func(f int) float64 {
		if pre[f] != pre[f] {
			return math.Inf(1)
		}
		return max(0, float64(pre[f]))
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case value(a) > value(b):
			return -1
		case value(a) < value(b):
			return 1
		}
		return 0
	})
	order = order[:min(k, len(order))]
	slices.Sort(order)
	acts, latents = make([]float32, k), make([]int32, k)
	for i, f := range order {
		acts[i], latents[i] = max(0, pre[f]), int32(f)
	}
	return acts, latents
}

// TestTopK compares selections over several chunks with a sort.
func TestTopK(t *testing.T) {
	for _, c := range []struct {
		rows, f, k, chunk int
		values            int // how many different values there are; 0: nearly all differ
		zeros             bool
		among             int // latents with f%among == 1 take part; 0: all do
		rising            bool
	}{
		{rows: 5, f: 700, k: 10, chunk: 128},
		{rows: 3, f: 3000, k: 1, chunk: 1024, rising: true}, // every value is above the cutoff
		{rows: 6, f: 2500, k: 100, chunk: 512, values: 7},   // ties across chunks
		{rows: 6, f: 2500, k: 100, chunk: 640, values: 2, zeros: true},
		{rows: 4, f: 900, k: 700, chunk: 256, zeros: true}, // zeros are selected
		{rows: 4, f: 900, k: 700, chunk: 256},              // and left out
		{rows: 2, f: 333, k: 333, chunk: 128, zeros: true}, // all of them
		{rows: 9, f: 1, k: 1, chunk: 128, zeros: true},
		{rows: 2, f: 4001, k: 300, chunk: 2048, rising: true, values: 50},
		{rows: 5, f: 1500, k: 20, chunk: 384, among: 3, values: 5, zeros: true},
		{rows: 5, f: 1500, k: 600, chunk: 384, among: 2},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			b := newGPU(t)
			pre, bias := make([]float32, c.rows*c.f), make([]float32, c.f+3)
			for f := range c.f {
				bias[f] = float32(int(4*uniform(2, f))) / 4
			}
			for i := range pre {
				u := 2*uniform(1, i) - 1
				if c.rising {
					u = float64(i%c.f) / float64(c.f)
				}
				if c.values > 0 {
					u = float64(int(u*float64(c.values))) / 2
				}
				pre[i] = float32(u)
			}
			maskOnGPU, allowed := ptr(0), func(int) bool { return true }
			if c.among > 0 {
				allowed = func(f int) bool { return f%c.among == 1 }
				mask := make([]uint8, c.f)
				for f := range mask {
					if allowed(f) {
						mask[f] = 1
					}
				}
				maskOnGPU = put(b, mask)
			}
			n := Room(c.k, c.f)
			s := Candidates{
				Rows: c.rows, K: c.k, Room: n, Bits: room[int32](b, c.rows*n), Latents: room[int32](b, c.rows*n),
				Count: room[int32](b, c.rows), Cutoffs: room[int32](b, c.rows), Zeros: c.zeros,
			}
			biasOnGPU := put(b, bias)
			for first := 0; first < c.f; first += c.chunk {
				n := min(c.chunk, c.f-first)
				part := make([]float32, c.rows*c.chunk)
				for i := range part {
					part[i] = 1e9 // past the end of a row: must not be selected
				}
				for row := range c.rows {
					copy(part[row*c.chunk:], pre[row*c.f+first:row*c.f+first+n])
				}
				b.TopKChunk(s, Chunk{
					Pre: put(b, part), Stride: c.chunk, Bias: biasOnGPU.Add(int64(4 * first)), First: first, N: n,
					Allowed: maskOnGPU,
				})
			}
			out := Selected{
				Acts: room[float32](b, c.rows*c.k), Latents: room[int32](b, c.rows*c.k),
				Hits: put(b, make([]int32, c.f)), ZeroPicks: put(b, make([]int32, c.f)),
				Smallest: room[float32](b, c.rows), NaNRow: put(b, make([]int32, 1)),
			}
			b.TopKFinish(s, out)
			acts, latents := get[float32](b, out.Acts, c.rows*c.k), get[int32](b, out.Latents, c.rows*c.k)
			smallest := get[float32](b, out.Smallest, c.rows)
			hits, zeroPicks := make([]int32, c.f), make([]int32, c.f)
			for row := range c.rows {
				x := make([]float32, c.f)
				for f := range x {
					x[f] = pre[row*c.f+f] + bias[f]
				}
				wantActs, wantLatents := sorted(x, c.k, allowed, c.zeros)
				small := float32(math.Inf(1))
				for i, a := range wantActs {
					if a > 0 {
						hits[wantLatents[i]]++
						small = min(small, a)
					} else if c.zeros {
						zeroPicks[wantLatents[i]]++
					}
				}
				rowActs, rowLatents := acts[row*c.k:(row+1)*c.k], latents[row*c.k:(row+1)*c.k]
				if !slices.Equal(rowActs, wantActs) || !slices.Equal(rowLatents, wantLatents) {
					t.Fatalf("row %d: %v of %v, want %v of %v", row, rowActs, rowLatents, wantActs, wantLatents)
				}
				if smallest[row] != small {
					t.Errorf("row %d: the smallest is %v, want %v", row, smallest[row], small)
				}
			}
			if !slices.Equal(get[int32](b, out.Hits, c.f), hits) || !slices.Equal(get[int32](b, out.ZeroPicks, c.f), zeroPicks) {
				t.Error("the counts of hits or of zero picks are wrong")
			}
			if nan := get[int32](b, out.NaNRow, 1)[0]; nan != 0 {
				t.Errorf("row %d is said to have a NaN", c.rows-int(nan))
			}
		})
	}
}

// A NaN of either sign is always selected and found.
func TestTopKNaN(t *testing.T) {
	b := newGPU(t)
	const rows, f, k = 6, 300, 2
	pre := make([]float32, rows*f+4)
	for i := range pre {
		pre[i] = float32(math.Inf(1))
	}
	pre[2*f+299] = math.Float32frombits(0xffc00001)
	pre[4*f+7] = math.Float32frombits(0x7f800001)
	n := Room(k, f)
	s := Candidates{
		Rows: rows, K: k, Room: n, Bits: room[int32](b, rows*n), Latents: room[int32](b, rows*n),
		Count: room[int32](b, rows), Cutoffs: room[int32](b, rows),
	}
	nanRow := put(b, make([]int32, 1))
	b.TopKChunk(s, Chunk{Pre: put(b, pre), Stride: f, Bias: put(b, make([]float32, f)), N: f})
	b.TopKFinish(s, Selected{Acts: room[float32](b, rows*k), Latents: room[int32](b, rows*k), NaNRow: nanRow})
	if got := get[int32](b, nanRow, 1)[0]; got != rows-2 {
		t.Errorf("the first row with a NaN is %d, want 2", rows-int(got))
	}
}

// Arguments that a kernel cannot work with are errors.
func TestBadArguments(t *testing.T) {
	b := newGPU(t)
	for name, put := range map[string]func(q *Queue){
		"too little room":   func(q *Queue) { q.TopKChunk(Candidates{Rows: 1, K: 100, Room: 200}, Chunk{Stride: 8, N: 5}) },
		"odd stride":        func(q *Queue) { q.TopKChunk(Candidates{Rows: 1, K: 1, Room: 129}, Chunk{Stride: 6, N: 5}) },
		"rows too wide":     func(q *Queue) { q.Backward(Backward{F: 1, D4: MaxD4 + 1}) },
		"k past the stride": func(q *Queue) { q.Decode(Decode{Rows: 1, K: 3, Stride: 2}) },
	} {
		q := NewQueue(b.set, b.stream)
		put(q)
		if q.Err() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

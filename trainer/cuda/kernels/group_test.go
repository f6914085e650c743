//go:build cuda

package kernels

import (
	"fmt"
	"slices"
	"testing"
)

// TestGroup compares the grouping of hits by latent with a stable sort: for latents with no
// hits, a few, more than a warp has lanes, and for more tokens than a window has.
func TestGroup(t *testing.T) {
	for _, c := range []struct{ rows, k, f, segment int }{
		{1, 1, 1, 64}, {50, 3, 40, 64}, {300, 4, 9, 64}, {700, 2, 3000, 16}, {9000, 2, 5, 64},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			b := newGPU(t)
			acts, latents, counts := make([]float32, c.rows*c.k), make([]int32, c.rows*c.k), make([]int32, c.f)
			type hit struct {
				token int32
				act   float32
			}
			want := make([][]hit, c.f)
			for i := range acts {
				row, j := i/c.k, i%c.k
				// Different latents in a row; the low ones more often.
				u := uniform(row+10, j)
				latents[i] = int32((int(u*u*u*float64(c.f)) + j*(c.f/c.k)) % c.f)
				if i%c.k > 0 && slices.Contains(latents[row*c.k:i], latents[i]) {
					continue // an activation of 0
				}
				if acts[i] = float32(uniform(3, i) - 0.1); acts[i] > 0 {
					counts[latents[i]]++
					want[latents[i]] = append(want[latents[i]], hit{int32(row), acts[i]})
				}
			}
			var extras []int32
			for f := range want {
				for e := 1; e <= (len(want[f])-1)/c.segment; e++ {
					extras = append(extras, int32(f), int32(e))
				}
			}
			n := len(acts)
			start, extra := room[int32](b, c.f+1), room[int32](b, 2*n)
			hits := put(b, counts)
			b.Scan(Scan{
				Hits: hits, F: c.f, Segment: c.segment,
				Sums: room[uint8](b, int(ScanBytes(c.f))), Start: start, Extra: extra,
				Totals: put(b, bytesOf(StepTotals{})),
			})
			token, act := room[int32](b, n), room[float32](b, n)
			b.Scatter(Scatter{
				Acts: put(b, acts), Latents: put(b, latents), Rows: c.rows, K: c.k, Start: start, Left: hits,
				Token: token, Act: act,
			})
			toToken, toAct := room[int32](b, n), room[float32](b, n)
			b.Order(Order{Start: start, F: c.f, B: c.rows, Token: token, Act: act, ToToken: toToken, ToAct: toAct})
			gotStart, gotTokens, gotActs := get[int32](b, start, c.f+1), get[int32](b, toToken, n), get[float32](b, toAct, n)
			for f := range want {
				from, to := gotStart[f], gotStart[f+1]
				if int(to-from) != len(want[f]) {
					t.Fatalf("latent %d has %d hits, want %d", f, to-from, len(want[f]))
				}
				for i, h := range want[f] {
					if at := int(from) + i; gotTokens[at] != h.token || gotActs[at] != h.act {
						t.Fatalf("latent %d: hit %d is %v of token %d, want %v", f, i, gotActs[at], gotTokens[at], h)
					}
				}
			}
			if got := get[int32](b, extra, 2*n)[:len(extras)]; !slices.Equal(got, extras) {
				t.Errorf("extra segments %v, want %v", got, extras)
			}
		})
	}
}

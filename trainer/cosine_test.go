package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
)

// unitVectors returns f rows of width d.
func unitVectors(f, d int) []float32 {
	w := make([]float32, f*d)
	for i := range w {
		w[i] = float32(Uniform(1, 2, uint64(i)) - 0.5)
	}
	unit, _ := UnitRows(w, d)
	return unit
}

// The mean cosine has the same bits for any number of goroutines, also where latents are chosen.
func TestDecoderCosineOfManyRows(t *testing.T) {
	for _, f := range []int{1, 2, 3, 63, 64, 65, 130, 300, cosineLatents + 900} {
		w := unitVectors(f, 3)
		chosen := chooseLatents(f, cosineLatents)
		want := min(f, cosineLatents)
		if len(chosen) != want || !slices.IsSorted(chosen) || len(slices.Compact(slices.Clone(chosen))) != want {
			t.Fatalf("%d latents of %d", len(chosen), f)
		}
		if !slices.Equal(chosen, chooseLatents(f, cosineLatents)) || chosen[len(chosen)-1] >= f {
			t.Fatalf("other latents of %d, up to %d", f, chosen[len(chosen)-1])
		}
		sum, n := 0.0, 0.0
		for i, a := range chosen {
			for _, b := range chosen[:i] {
				dot, aa, bb := 0.0, 0.0, 0.0
				for j := range 3 {
					x, y := float64(w[3*a+j]), float64(w[3*b+j])
					dot, aa, bb = dot+x*y, aa+x*x, bb+y*y
				}
				sum, n = sum+math.Abs(dot)/math.Sqrt(aa*bb), n+1
			}
		}
		var first *float64
		for _, threads := range []int{1, 2, 3, 8} {
			before := runtime.GOMAXPROCS(threads)
			got, err := decoderCosine(t.Context(), w, 3)
			runtime.GOMAXPROCS(before)
			if err != nil {
				t.Fatal(err)
			}
			if f < 2 {
				if got != nil {
					t.Errorf("one row: %v", *got)
				}
				continue
			}
			if !(math.Abs(*got-sum/n) <= 1e-12) {
				t.Errorf("%d rows: %v, want %v", f, *got, sum/n)
			}
			if first == nil {
				first = got
			}
			if math.Float64bits(*got) != math.Float64bits(*first) {
				t.Errorf("%d rows, %d threads: %v, want the bits of %v", f, threads, *got, *first)
			}
		}
	}
}

// Rows of zeros are left out, and too few rows have no cosine.
func TestDecoderCosineOfFewRows(t *testing.T) {
	for name, test := range map[string]struct {
		w    []float32
		want float64 // −1: none
	}{
		"none":           {nil, -1},
		"zeros":          {make([]float32, 8), -1},
		"one":            {[]float32{0, 0, 1, 0, 0, 0}, -1},
		"opposite":       {[]float32{1, 0, -1, 0}, 1},
		"at right angle": {[]float32{1, 0, 0, 0, 0, 1}, 0},
		"three":          {[]float32{1, 0, 0, 1, 0, -1}, 1.0 / 3},
		"small":          {[]float32{1e-30, 0, 0, 0, 1e-30, 0}, 1},
	} {
		got, err := decoderCosine(t.Context(), test.w, 2)
		if err != nil || (got == nil) != (test.want < 0) || got != nil && !(math.Abs(*got-test.want) <= 1e-12) {
			t.Errorf("%s: %v, want %v, %v", name, got, test.want, err)
		}
	}
}

// Work that is canceled ends, with the cause: an evaluation that nobody waits for takes no processor for long.
func TestDecoderCosineEnds(t *testing.T) {
	cause := errors.New("nobody waits")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if got, err := decoderCosine(ctx, unitVectors(200, 3), 3); got != nil || err != cause {
		t.Errorf("%v, %v", got, err)
	}
}

// The choice of latents is even: of many dictionaries, each part is chosen about as often.
func TestChooseLatents(t *testing.T) {
	counts := make([]int, 8)
	for _, latent := range chooseLatents(8*cosineLatents, cosineLatents) {
		counts[latent/cosineLatents]++
	}
	for i, n := range counts {
		if !(n > 400 && n < 624) { // 512 ± 5 standard deviations
			t.Errorf("part %d: %d latents, want about 512", i, n)
		}
	}
}

// Each latent is in the bin that its share of rows belongs to, also at the edges.
func TestDensity(t *testing.T) {
	edges := DensityEdges()
	if len(edges) != DensityBins || edges[0] != 0 || edges[DensityBins-1] != 1 || !slices.IsSorted(edges) {
		t.Fatalf("edges %v", edges)
	}
	for i, edge := range edges[1 : DensityBins-1] {
		if want := math.Pow(10, -5+float64(i)/4); !(math.Abs(edge-want) <= 1e-15*want+1e-20) {
			t.Errorf("edge %d is %v, want %v", i+1, edge, want)
		}
	}
	for _, rows := range []int64{1, 3, 10, 1000, 100_000, 10_000_000} {
		var kept []int64
		want := make([]int64, DensityBins)
		for n := int64(0); n <= rows; n = max(n+1, n*101/100) {
			kept = append(kept, min(n, rows))
			bin := 0
			for i := 1; n > 0 && i < DensityBins; i++ {
				if share := float64(n) / float64(rows); share >= edges[i-1] {
					bin = i
				}
			}
			want[bin]++
		}
		if got := density(kept, rows); !slices.Equal(got, want) {
			t.Errorf("%d rows: %v, want %v", rows, got, want)
		}
	}
	if got := density([]int64{1, 10}, 10); got[DensityBins-1] != 1 || got[18] != 1 {
		t.Errorf("kept in every row and in a tenth: %v", got)
	}
}

// BenchmarkDecoderCosine times the cosines of the largest choice of latents.
func BenchmarkDecoderCosine(b *testing.B) {
	for _, d := range []int{384, 768, 4096} {
		b.Run(fmt.Sprintf("D=%d", d), func(b *testing.B) {
			w := unitVectors(cosineLatents, d)
			for b.Loop() {
				if _, err := decoderCosine(b.Context(), w, d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package trainer

import (
	"math"
	"slices"
	"testing"
)

// A reconstruction has the same bits in whatever order a backend gives the latents.
func TestDecodeInAnyOrder(t *testing.T) {
	const d, f = 7, 40
	w, b := unitVectors(f, d), make([]float32, d)
	for _, k := range []int{1, 3, 4, 5, 11} {
		acts, latents := make([]float32, k), make([]int32, k)
		for i := range k {
			// Of so different sizes, the products do not add up exactly.
			acts[i], latents[i] = float32(math.Ldexp(Uniform(3, 4, uint64(i)), 5*i)), int32(f-1-3*i)
		}
		want, got := make([]float64, d), make([]float64, d)
		reconstruct(w, b, acts, latents, want)
		for range k {
			acts, latents = append(acts[1:], acts[0]), append(latents[1:], latents[0])
			reconstruct(w, b, acts, latents, got)
			if !slices.Equal(got, want) {
				t.Errorf("%d latents in the order %v: %v, want %v", k, latents, got, want)
			}
		}
	}
}

package trainer

import (
	"slices"

	"github.com/topksweep/sweep/trainer/wide"
)

// reconstruct sets y_D to b_dec + Σ acts · rows of W_dec, as decode adds them.
func reconstruct(wDec, bDec, acts []float32, latents []int32, y []float64) {
	for j, b := range bDec {
		y[j] = float64(b)
	}
	decode(wDec, acts, latents, y)
}

// decode adds Σ acts · W_dec rows to y_D, in the order of the latents so that the sum does not depend on the order in
// which a backend kept them. Activations of 0 or less count as nothing, and their latents are not looked at.
func decode(wDec, acts []float32, latents []int32, y []float64) {
	order := make([]uint64, 0, len(acts)) // latent·2³² + its place in acts
	for i, a := range acts {
		if a > 0 {
			order = append(order, uint64(latents[i])<<32|uint64(i))
		}
	}
	slices.Sort(order)
	d := len(y)
	row := func(i int) (a float32, w []float32) {
		f := int(order[i] >> 32)
		return acts[uint32(order[i])], wDec[f*d:][:d]
	}
	for ; len(order) >= 4; order = order[4:] {
		a0, w0 := row(0)
		a1, w1 := row(1)
		a2, w2 := row(2)
		a3, w3 := row(3)
		wide.AddFour(y, [4]float32{a0, a1, a2, a3}, w0, w1, w2, w3)
	}
	for i := range order {
		a, w := row(i)
		for j := range y {
			y[j] += float64(a) * float64(w[j])
		}
	}
}

// widened returns x in float64.
func widened(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

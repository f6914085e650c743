package trainer

import "math"

// Streams of random numbers drawn from a run's seed. Package data draws its own
// from streams of 16 and up.
const streamWeights = 1

// Init returns the state before the first step of a c without Init: the weights drawn
// from the seed, zero biases and moments. b_dec is set by the backend at step 0, to the
// geometric median of the first batch.
func Init(c Config) *State {
	s := NewState(c)
	d, f := c.ActivationDim, c.DictSize
	recipe, _ := RecipeByName(c.Recipe)
	first, second, fanIn := s.W.WEnc, s.W.WDec, d
	if recipe.InitFromDecoder {
		first, second, fanIn = s.W.WDec, s.W.WEnc, f
	}
	// torch's default for a linear layer: U(±1/√fan_in).
	bound := 1 / math.Sqrt(float64(fanIn))
	for i := range first {
		first[i] = float32((2*Uniform(uint64(c.Seed), streamWeights, uint64(i)) - 1) * bound)
	}
	copy(second, first)
	unitRows(s.W.WDec, d)
	if recipe.InitFromDecoder {
		copy(s.W.WEnc, s.W.WDec)
	}
	return s
}

// Eps32 is float32's machine epsilon, which the reference adds to a row's norm
// before dividing by it (set_decoder_norm_to_unit_norm).
const Eps32 = 0x1p-23

// unitRows divides each row of w_FD by its norm + Eps32.
func unitRows(w []float32, d int) {
	for ; len(w) >= d && d > 0; w = w[d:] {
		sum := 0.0
		for _, v := range w[:d] {
			sum += float64(v) * float64(v)
		}
		scale := 1 / (math.Sqrt(sum) + Eps32)
		for i, v := range w[:d] {
			w[i] = float32(float64(v) * scale)
		}
	}
}

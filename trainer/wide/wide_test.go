package wide

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// numbers returns n float32 numbers of sizes so different that their products do not add up exactly.
func numbers(rng *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(math.Ldexp(rng.NormFloat64(), rng.IntN(40)-20))
	}
	return out
}

// The sums have the bits of plain loops that add in the order that is documented, with and without the processor's
// vector instructions.
func TestSums(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 3, 4, 5, 7, 8, 13, 64, 511, 768} {
		var rows [6][]float32
		for i := range rows {
			rows[i] = numbers(rng, n)
		}
		a := [4]float32(numbers(rng, 4))
		y := make([]float64, n)
		for j := range y {
			y[j] = rng.NormFloat64()
		}
		want := slices.Clone(y)
		for i, a := range a {
			for j, w := range rows[i] {
				want[j] += float64(a) * float64(w)
			}
		}
		if AddFour(y, a, rows[0], rows[1], rows[2], rows[3]); !slices.Equal(y, want) {
			t.Errorf("%d numbers: AddFour gives %v, want %v", n, y, want)
		}
		for i, got := range Dots2x4([2][]float32(rows[:2]), [4][]float32(rows[2:])) {
			a, b, part, whole := rows[i/4], rows[2+i%4], [lanes]float64{}, n/lanes*lanes
			for j := range whole {
				part[j%lanes] += float64(a[j]) * float64(b[j])
			}
			want := (part[0] + part[2]) + (part[1] + part[3])
			if plain := dot(a[:whole], b[:whole]); plain != want {
				t.Errorf("%d numbers: dot gives %v, want %v", n, plain, want)
			}
			for j := whole; j < n; j++ {
				want += float64(a[j]) * float64(b[j])
			}
			if got != want {
				t.Errorf("%d numbers: product %d is %v, want %v", n, i, got, want)
			}
		}
	}
}

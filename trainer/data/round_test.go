package data

import (
	"math"
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/topksweep/sweep/trainer/safetensors"
)

// Rounding finds the nearest of all values of a dtype, of two the even one.
func TestRound(t *testing.T) {
	for dt, from := range map[dtype]func(uint16) float32{f16: safetensors.Float16, bf16: safetensors.BFloat16} {
		var values []float32 // that are positive, rising with their bits
		for bits := uint16(0); ; bits++ {
			v := from(bits)
			if math.IsInf(float64(v), 0) {
				break
			}
			values = append(values, v)
		}
		r := rand.New(rand.NewPCG(1, 2))
		check := func(v float32) {
			t.Helper()
			i := sort.Search(len(values), func(i int) bool { return values[i] >= v })
			if i == len(values) {
				return // above the largest
			}
			if i > 0 && values[i] != v {
				below, above := float64(v)-float64(values[i-1]), float64(values[i])-float64(v)
				if below < above || below == above && i%2 == 1 {
					i--
				}
			}
			for _, sign := range []float32{1, -1} {
				if got := dt.round(sign * v); math.Float32bits(got) != math.Float32bits(sign*values[i]) {
					t.Fatalf("%s: %g is rounded to %g, want %g", dt, sign*v, got, sign*values[i])
				}
			}
		}
		for range 20000 {
			check(float32(math.Ldexp(r.Float64(), r.IntN(46)-30)))
			i := r.IntN(len(values) - 1)
			check(values[i])
			check(float32((float64(values[i]) + float64(values[i+1])) / 2)) // a tie, unless it is a subnormal of float32
		}
		check(0)
	}
	if v := float32(0.1); f32.round(v) != v {
		t.Error("float32 is rounded")
	}
}

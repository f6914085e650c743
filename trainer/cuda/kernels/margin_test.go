//go:build cuda

package kernels

import (
	"math"
	"slices"
	"testing"
)

// TestMargin moves the products as far as the margin allows: those of the latents to be selected down, and all others
// up. The selection must stay the same, and must not if the margin is halved: then the margin is what decides.
func TestMargin(t *testing.T) {
	seeds := 6
	if testing.Short() {
		seeds = 2
	}
	for _, d := range []int{16, 64, 520} {
		wrong := 0
		for seed := range uint64(seeds) {
			c := newCase(seed, 6, 8, 600, d)
			// Latents whose pre-activations differ by a few margins.
			apart := float32(4e-3 * math.Sqrt(float64(d)))
			for f := 1; f < c.f; f++ {
				for j := range d {
					c.w[f*d+j] = c.w[j] + apart*c.w[f*d+j]
				}
				c.bias[f] = 0
			}
			c.bias[0] = 0
			for row := range c.rows {
				if c.plain(row, 0) < 0 {
					times(c.x[row*d:(row+1)*d], -1)
				}
			}
			c.group, c.room = 8, 1000
			want := c.want()
			push := func(share float32) func(pre []uint8, stride int, tokens, latents []float32) {
				return func(pre []uint8, stride int, tokens, latents []float32) {
					for row := range c.rows {
						x := tokens[4*row : 4*row+4]
						for f := range c.f {
							w := latents[4*f : 4*f+4]
							margin := float64(x[1])*float64(w[1]) + float64(x[2])*float64(w[2])
							if slices.Contains(want.latents[row*c.k:(row+1)*c.k], int32(f)) {
								margin = -margin
							}
							v := (float64(c.plain(row, f)) + 0.98*margin) / float64(x[0]) / float64(w[0])
							half := nearestHalf(v)
							pre[2*(row*stride+f)], pre[2*(row*stride+f)+1] = uint8(half), uint8(half>>8)
						}
						x[1], x[2] = share*x[1], share*x[2]
					}
				}
			}
			got := c.run(t, push(1), false)
			if diff := got.differs(want, c.k); diff != "" {
				t.Errorf("D = %d: %s", d, diff)
			}
			if got.undecided > 0 {
				t.Errorf("D = %d: %d rows are undecided, so that the margin decides nothing", d, got.undecided)
			}
			if c.run(t, push(0.5), false).differs(want, c.k) != "" {
				wrong++
			}
		}
		if wrong == 0 {
			t.Errorf("D = %d: half the margin is enough", d)
		}
	}
}

// nearestHalf rounds a normal number of float16.
func nearestHalf(v float64) uint16 {
	sign := uint16(0)
	if v < 0 {
		sign, v = 0x8000, -v
	}
	m, e := math.Frexp(v) // v = m·2^e, m in [0.5, 1)
	return sign | uint16(int(math.RoundToEven(m*2048))-1024+(e+14)<<10)
}

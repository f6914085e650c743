//go:build cuda

package kernels

import (
	"fmt"
	"math"
	"testing"
)

// fromHalf returns the float16 of two bytes as float64.
func fromHalf(low, high uint8) float64 {
	bits := int(low) | int(high)<<8
	sign, e, m := 1-2*float64(bits>>15), bits>>10&31, float64(bits&1023)
	switch e {
	case 0:
		return sign * math.Ldexp(m, -24)
	case 31:
		if m != 0 {
			return math.NaN()
		}
		return sign * math.Inf(1)
	}
	return sign * math.Ldexp(1024+m, e-25)
}

// A roundedRow is what float64 arithmetic finds of a row and of what it was rounded to.
type roundedRow struct {
	norm, error float64
	exact       bool // each number is the float16 that is nearest
}

// measure compares a row with its float16 numbers times unscale.
func measure(row []float32, half []uint8, unscale float64) roundedRow {
	out := roundedRow{exact: true}
	for i, v := range row {
		h := fromHalf(half[2*i], half[2*i+1])
		e := float64(v)/unscale - h
		out.norm += math.Pow(float64(v), 2)
		out.error += math.Pow(e*unscale, 2)
		if most := max(math.Abs(h)*0x1p-11, 0x1p-25); !(math.Abs(e) <= most) {
			out.exact = false
		}
	}
	out.norm, out.error = math.Sqrt(out.norm), math.Sqrt(out.error)
	return out
}

// isPower reports whether v is a power of two.
func isPower(v float64) bool {
	m, _ := math.Frexp(v)
	return m == 0.5
}

// checkLatents checks that the rows of W_enc, [f,width], were rounded to the nearest float16, and
// that the bounds of the norms hold and are near.
func checkLatents(t *testing.T, b *gpu, rows []float32, half, rounding ptr, f int) {
	t.Helper()
	width := len(rows) / f
	halves, rounded := get[uint8](b, half, 2*len(rows)), get[float32](b, rounding, 4*f)
	for i := range f {
		r := rounded[4*i : 4*i+4]
		unscale, norm, err := float64(r[0]), float64(r[1]), float64(r[2])
		got := measure(rows[i*width:(i+1)*width], halves[2*i*width:2*(i+1)*width], unscale)
		switch {
		case !isPower(unscale) || !isPower(float64(r[3])):
			t.Errorf("latent %d: the scales are %v and %v", i, r[0], r[3])
		case !got.exact:
			t.Errorf("latent %d is not rounded to the nearest float16", i)
		case !(norm >= got.norm+err && norm <= 1.002*(got.norm+err)+1.01*unscale):
			t.Errorf("latent %d: the bound is %v, its norm %v", i, norm, got.norm)
		case !(err >= got.error && err <= 1.002*got.error+0x1p-50*unscale):
			t.Errorf("latent %d: the error is at most %v, it is %v", i, err, got.error)
		case !(float64(r[3])*got.norm >= 63.9 && float64(r[3])*got.norm <= 128.1) && got.norm > 0x1p-40:
			t.Errorf("latent %d: the next scale is %v for a norm of %v", i, r[3], got.norm)
		}
	}
}

// TestRounding rounds rows of norms from 2^-45 to 2^39, and rows of zeros.
func TestRounding(t *testing.T) {
	for _, width := range []int{8, 96, 520} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			b := newGPU(t)
			const f = 30
			rows, _ := numbers(1, f*width)
			for i := range rows {
				switch row := i / width; {
				case row == 7:
					rows[i] = 0
				case row == 8 && i%width > 0: // one large number, the others denormal as float16
					rows[i] *= 0x1p-30
				default:
					rows[i] = float32(math.Ldexp(float64(rows[i]), 2*row-45))
				}
			}
			half, rounding := room[uint8](b, 2*len(rows)), room[float32](b, 4*f)
			b.RoundRows(put(b, rows), half, rounding, f, width/4)
			checkLatents(t, b, rows, half, rounding, f)
		})
	}
}

// Rows that cannot be screened say so.
func TestRoundingRefused(t *testing.T) {
	b := newGPU(t)
	const width = 8
	rows := make([]float32, 4*width)
	rows[0] = float32(math.NaN())
	rows[width] = float32(math.Inf(-1))
	rows[2*width] = 1e20
	rows[3*width] = 1
	half, rounding := room[uint8](b, 2*len(rows)), room[float32](b, 16)
	b.RoundRows(put(b, rows), half, rounding, 4, width/4)
	latents := get[float32](b, rounding, 16)
	b.Centre(Centre{
		X: put(b, rows), BDec: put(b, make([]float32, width)), Out: room[float32](b, len(rows)), Half: half,
		Rounding: rounding, Rows: 4, D: width, D4: width / 4,
	})
	tokens := get[float32](b, rounding, 16)
	for i := range 4 {
		for _, v := range [][]float32{latents[4*i+1 : 4*i+3], tokens[4*i+1 : 4*i+3]} {
			if refused := math.IsInf(float64(v[0]), 1) && math.IsInf(float64(v[1]), 1); refused != (i < 3) {
				t.Errorf("row %d: %v", i, v)
			}
		}
	}
}

//go:build cuda

package kernels

import (
	"fmt"
	"math"
	"testing"
)

// TestBackward compares gradients with their formulas: of dead and living latents with no
// hits, few, and more than a segment, for teams of all sizes.
func TestBackward(t *testing.T) {
	const f, tokens, segment = 6, 9, 4
	hitsOf := []int{0, 1, 9, 4, 5, 3} // latents 1 and 4 are dead
	for _, width := range []int{8, 160, 352, 480, 1032, 16*512 + 8} {
		for _, first := range []bool{false, true} {
			t.Run(fmt.Sprintf("width=%d,projectFirst=%v", width, first), func(t *testing.T) {
				b := newGPU(t)
				residual, residual64 := numbers(1, tokens*width)
				aux, aux64 := numbers(2, tokens*width)
				centred, centred64 := numbers(3, tokens*width)
				w, w64 := numbers(4, f*width)
				decScale, decScale64 := numbers(5, f)
				start, extra, token, dead := []int32{0}, []int32{}, []int32{}, make([]uint8, f)
				dead[1], dead[4] = 1, 1
				for latent, n := range hitsOf {
					for i := range n {
						token = append(token, int32(i))
					}
					for e := 1; e <= (n-1)/segment; e++ {
						extra = append(extra, int32(latent), int32(e))
					}
					start = append(start, int32(len(token)))
				}
				act, act64 := numbers(6, len(token))
				totals := StepTotals{MainScale: -0.25, AuxScale: -2, Extras: int32(len(extra) / 2)}
				maxExtras := len(extra)/2 + 2 // two more than there are
				args := Backward{
					Residual: put(b, residual), AuxResidual: put(b, aux), Centred: put(b, centred),
					WDec: put(b, w), DecScale: put(b, decScale), Dead: put(b, dead),
					Start: put(b, start), Extra: put(b, append(extra, -1, -1, -1, -1)),
					Token: put(b, token), Act: put(b, act), MaxExtras: maxExtras, Segment: segment,
					F: f, D4: width / 4, ProjectFirst: first, Totals: put(b, bytesOf(totals)),
					GDec: room[float32](b, f*width), GEnc: room[float32](b, f*width),
					GBias: room[float32](b, f), Norm2: room[float64](b, f),
					SegmentSums: room[float32](b, maxExtras*2*width), SegmentBias: room[float32](b, maxExtras),
				}
				b.Backward(args)
				dec, enc := get[float32](b, args.GDec, f*width), get[float32](b, args.GEnc, f*width)
				bias, norm2 := get[float32](b, args.GBias, f), get[float64](b, args.Norm2, f)
				var biases, norms, decs, encs []float64
				var gotDecs, gotEncs []float32
				for latent := range f {
					rows, scale := residual64, float64(totals.MainScale)
					if dead[latent] != 0 {
						rows, scale = aux64, float64(totals.AuxScale)
					}
					row := w64[latent*width : (latent+1)*width]
					gDec, gEnc, gBias := make([]float64, width), make([]float64, width), 0.0
					for i := start[latent]; i < start[latent+1]; i++ {
						r, x := rows[int(token[i])*width:][:width], centred64[int(token[i])*width:][:width]
						back := 0.0
						for j := range row {
							back += r[j] * row[j] * scale * decScale64[latent]
						}
						gBias += back
						for j := range row {
							gDec[j] += act64[i] * scale * r[j]
							gEnc[j] += back * x[j]
						}
					}
					dot := func(a, b []float64) (s float64) {
						for j := range a {
							s += a[j] * b[j]
						}
						return s
					}
					want := dot(gEnc, gEnc) + gBias*gBias
					toUnit := decScale64[latent]
					if first {
						toUnit = 1 / (math.Sqrt(dot(row, row)) + 1e-6)
					} else {
						want += dot(gDec, gDec)
					}
					along := dot(gDec, row) * toUnit * toUnit
					for j := range gDec {
						gDec[j] -= along * row[j]
					}
					if first {
						want += dot(gDec, gDec)
					}
					biases, norms = append(biases, gBias), append(norms, want)
					if hitsOf[latent] > 0 { // the others are not written
						decs, gotDecs = append(decs, gDec...), append(gotDecs, dec[latent*width:(latent+1)*width]...)
						encs, gotEncs = append(encs, gEnc...), append(gotEncs, enc[latent*width:(latent+1)*width]...)
					}
				}
				// The tolerance is relative to the largest number of all latents: a product of
				// two rows may cancel to any small number.
				near(t, "decoder", gotDecs, decs, 2e-5)
				near(t, "encoder", gotEncs, encs, 2e-5)
				near(t, "biases", bias, biases, 2e-5)
				near(t, "norms", norm2, norms, 2e-5)
			})
		}
	}
}

// TestInertAuxK compares the AuxK of recipe reference with its formula.
func TestInertAuxK(t *testing.T) {
	for _, d := range []int{3, 300} {
		for _, deads := range []int32{0, 2} {
			t.Run(fmt.Sprintf("D=%d,dead=%d", d, deads), func(t *testing.T) {
				b := newGPU(t)
				const rows, kAux, alpha = 5, 4, 0.25
				width := 8 * over(d, 8)
				residual, residual64 := numbers(1, rows*width)
				bDec, bDec64 := numbers(2, width)
				variance := make([]float64, width)
				for j := range variance {
					variance[j] = 1 + uniform(3, j)
				}
				n := InertAuxK{
					Residual: put(b, residual), BDec: put(b, bDec), Variance: put(b, variance),
					B: rows, D: d, D4: width / 4, KAux: kAux, Alpha: alpha,
					Totals:   put(b, bytesOf(StepTotals{Dead: deads, MainScale: -2. / rows})),
					Gradient: room[float32](b, rows*width), RowSum: room[float64](b, rows),
				}
				b.InertAuxK(n)
				gradient, got := get[float32](b, n.Gradient, rows*width), getTotals(b, n.Totals)
				scale, loss, want := min(float64(deads)/kAux, 1), 0.0, make([]float64, rows*width)
				for i, r := range residual64 {
					if j := i % width; j < d {
						u := bDec64[j] + r
						loss += scale * u * u / variance[j] / (rows * float64(d))
						want[i] = -2./rows*r - alpha*2*scale/(rows*float64(d))*u/variance[j]
					}
				}
				near(t, "gradient", gradient, want, 1e-6)
				near(t, "loss", []float64{got.Aux}, []float64{loss}, 1e-12)
				if on := deads > 0; (got.MainIsAux == 1) != on || (got.MainScale == 1) != on {
					t.Errorf("%d dead latents: %+v", deads, got)
				}
			})
		}
	}
}

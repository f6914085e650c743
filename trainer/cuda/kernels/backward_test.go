//go:build cuda

package kernels

import (
	"fmt"
	"math"
	"testing"
	"unsafe"

	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// TestBackward holds the gradients of latents with no hit, some, and more than a
// segment, dead and alive, for teams of all shapes.
func TestBackward(t *testing.T) {
	const f, tokens, segment = 6, 9, 4
	hitsOf := []int{0, 1, 9, 4, 5, 3} // latents 1 and 4 are dead
	for _, width := range []int{8, 160, 352, 480, 1032, 16*512 + 8} {
		for _, first := range []bool{false, true} {
			t.Run(fmt.Sprintf("width=%d,projectFirst=%v", width, first), func(t *testing.T) {
				b := newBench(t)
				residual, residual64 := numbers(1, tokens*width)
				left, left64 := numbers(2, tokens*width)
				centred, centred64 := numbers(3, tokens*width)
				w, w64 := numbers(4, f*width)
				unit, unit64 := numbers(5, f)
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
				totals := Totals{MainScale: -0.25, AuxScale: -2, Extras: int32(len(extra) / 2)}
				maxExtras := len(extra)/2 + 2 // some are not there
				b64 := Backward{
					Residual: put(b, residual), Left: put(b, left), Centred: put(b, centred), WDec: put(b, w), Unit: put(b, unit), Dead: put(b, dead),
					Start: put(b, start), Extra: put(b, append(extra, -1, -1, -1, -1)), Token: put(b, token), Act: put(b, act), MaxExtras: maxExtras,
					Segment: segment, F: f, D4: width / 4, ProjectFirst: first, Totals: put(b, totalsBytes(totals)),
					GDec: room[float32](b, f*width), GEnc: room[float32](b, f*width), GBias: room[float32](b, f), Norm2: room[float64](b, f),
					Spare: room[float32](b, maxExtras*2*width), SpareBias: room[float32](b, maxExtras),
				}
				b.Backward(b64)
				dec, enc := get[float32](b, b64.GDec, f*width), get[float32](b, b64.GEnc, f*width)
				bias, norm2 := get[float32](b, b64.GBias, f), get[float64](b, b64.Norm2, f)
				var biases, norms, decs, encs []float64
				var gotDecs, gotEncs []float32
				for latent := range f {
					rows, scale := residual64, float64(totals.MainScale)
					if dead[latent] != 0 {
						rows, scale = left64, float64(totals.AuxScale)
					}
					row := w64[latent*width : (latent+1)*width]
					gDec, gEnc, gBias := make([]float64, width), make([]float64, width), 0.0
					for i := start[latent]; i < start[latent+1]; i++ {
						r, x := rows[int(token[i])*width:][:width], centred64[int(token[i])*width:][:width]
						back := 0.0
						for j := range row {
							back += r[j] * row[j] * scale * unit64[latent]
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
					scaleOfRow := unit64[latent]
					if first {
						scaleOfRow = 1 / (math.Sqrt(dot(row, row)) + 1e-6)
					} else {
						want += dot(gDec, gDec)
					}
					along := dot(gDec, row) * scaleOfRow * scaleOfRow
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
				// Of the largest of all latents': a product of two rows may cancel out to
				// any small number.
				near(t, "decoder", gotDecs, decs, 2e-5)
				near(t, "encoder", gotEncs, encs, 2e-5)
				near(t, "biases", bias, biases, 2e-5)
				near(t, "norms", norm2, norms, 2e-5)
			})
		}
	}
}

func TestToBF16(t *testing.T) {
	b := newBench(t)
	v, _ := numbers(1, 2000)
	v[3], v[4], v[5] = float32(math.NaN()), float32(math.Inf(-1)), math.MaxFloat32
	out := room[uint8](b, 4000)
	b.ToBF16(put(b, v), out, 500)
	got := get[uint8](b, out, 4000)
	for i, x := range v {
		bits := math.Float32bits(x)
		want := (bits + 0x7fff + bits>>16&1) >> 16
		if x != x {
			want = bits>>16 | 0x40
		}
		if have := uint32(got[2*i]) | uint32(got[2*i+1])<<8; have != want {
			t.Fatalf("%v is %x, want %x", x, have, want)
		}
	}
}

// TestInert holds the reference's AuxK to its formula.
func TestInert(t *testing.T) {
	for _, d := range []int{3, 300} {
		for _, deads := range []int32{0, 2} {
			t.Run(fmt.Sprintf("D=%d,dead=%d", d, deads), func(t *testing.T) {
				b := newBench(t)
				const rows, kAux, alpha = 5, 4, 0.25
				width := 8 * over(d, 8)
				residual, residual64 := numbers(1, rows*width)
				bDec, bDec64 := numbers(2, width)
				variance := make([]float64, width)
				for j := range variance {
					variance[j] = 1 + uniform(3, j)
				}
				totals := put(b, totalsBytes(Totals{Dead: deads, MainScale: -2. / rows}))
				n := Inert{
					Residual: put(b, residual), BDec: put(b, bDec), Variance: put(b, variance), B: rows, D: d, D4: width / 4, KAux: kAux, Alpha: alpha,
					Totals: totals, Left: room[float32](b, rows*width), RowSum: room[float64](b, rows),
				}
				b.Inert(n)
				left := get[float32](b, n.Left, rows*width)
				text := get[uint8](b, totals, int(unsafe.Sizeof(Totals{})))
				got := *(*Totals)(unsafe.Pointer(unsafe.SliceData(text)))
				scale, loss, want := min(float64(deads)/kAux, 1), 0.0, make([]float64, rows*width)
				for i, r := range residual64 {
					if j := i % width; j < d {
						u := bDec64[j] + r
						loss += scale * u * u / variance[j] / (rows * float64(d))
						want[i] = -2./rows*r - alpha*2*scale/(rows*float64(d))*u/variance[j]
					}
				}
				near(t, "gradient", left, want, 1e-6)
				near(t, "loss", []float64{got.Aux}, []float64{loss}, 1e-12)
				if on := deads > 0; (got.MainLeft == 1) != on || (got.MainScale == 1) != on {
					t.Errorf("%d dead latents: %+v", deads, got)
				}
			})
		}
	}
}

func totalsBytes(v Totals) []uint8 {
	return append(make([]uint8, 0, 256), driver.Bytes(unsafe.Slice((*uint8)(unsafe.Pointer(&v)), unsafe.Sizeof(v)))...)
}

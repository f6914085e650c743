//go:build cuda

package kernels

import (
	"fmt"
	"math"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/safetensors"
)

// near reports a number that is off by more than tol times the largest number of want.
func near[T float32 | float64](t *testing.T, what string, got []T, want []float64, tol float64) {
	t.Helper()
	scale := 0.0
	for _, w := range want {
		scale = max(scale, math.Abs(w))
	}
	for i, w := range want {
		if diff := math.Abs(float64(got[i]) - w); !(diff <= tol*scale) {
			t.Fatalf("%s: number %d is %v, want %v within %.0e of %v", what, i, got[i], w, tol, scale)
		}
	}
}

// numbers returns n float32 of a random stream, in [-1, 1), and the same as float64.
func numbers(stream, n int) ([]float32, []float64) {
	v, w := make([]float32, n), make([]float64, n)
	for i := range v {
		v[i] = float32(2*uniform(stream, i) - 1)
		w[i] = float64(v[i])
	}
	return v, w
}

// widths returns widths of rows that a warp holds, several warps, and several blocks.
func widths() []int { return []int{4, 96, 256, 384, 520, 1288} }

func TestDecode(t *testing.T) {
	for _, width := range widths() {
		for _, k := range []int{1, 7, 600} {
			t.Run(fmt.Sprintf("width=%d,k=%d", width, k), func(t *testing.T) {
				b := newGPU(t)
				const rows, f = 3, 40
				from, from64 := numbers(1, rows*width)
				w, w64 := numbers(2, f*width)
				decScale, decScale64 := numbers(3, f)
				acts, acts64 := numbers(4, rows*(k+1)) // the last one of each row does not count
				latents := make([]int32, len(acts))
				for i := range latents {
					latents[i] = int32(f * uniform(5, i))
				}
				mean := make([]float64, width)
				for j := range mean {
					mean[j] = uniform(6, j)
				}
				d := Decode{
					From: put(b, from), Out: room[float32](b, rows*width), WDec: put(b, w), DecScale: put(b, decScale),
					Acts: put(b, acts), Latents: put(b, latents), K: k, Stride: k + 1, Rows: rows, D4: width / 4,
					Norm2: room[float64](b, rows), Mean: put(b, mean), Spread2: room[float64](b, rows),
				}
				b.Decode(d)
				norm2, spread2 := make([]float64, rows), make([]float64, rows)
				for row := range rows {
					out := from64[row*width : (row+1)*width]
					for j, v := range out {
						spread2[row] += (v - mean[j]) * (v - mean[j])
					}
					for i := range k {
						at := row*(k+1) + i
						for j := range out {
							out[j] -= max(0, acts64[at]) * decScale64[latents[at]] * w64[int(latents[at])*width+j]
						}
					}
					for _, v := range out {
						norm2[row] += v * v
					}
				}
				near(t, "residual", get[float32](b, d.Out, rows*width), from64, 1e-5)
				near(t, "norm", get[float64](b, d.Norm2, rows), norm2, 1e-5)
				near(t, "distance to the mean", get[float64](b, d.Spread2, rows), spread2, 1e-12)
			})
		}
	}
}

func TestColumns(t *testing.T) {
	for _, width := range widths() {
		for _, n := range []int{1, 31, 33, 3000} {
			t.Run(fmt.Sprintf("width=%d,n=%d", width, n), func(t *testing.T) {
				b := newGPU(t)
				rows, rows64 := numbers(1, n*width)
				weight, weight64 := numbers(2, n)
				for i := range weight {
					if i%3 == 1 {
						weight[i], weight64[i] = 0, 0
						rows[i*width] = float32(math.NaN()) // not to be read
						rows64[i*width] = 0
					}
				}
				mean := make([]float64, width)
				weighted, spread := make([]float64, width), make([]float64, width)
				for i, v := range rows64 {
					weighted[i%width] += weight64[i/width] * v
				}
				sums, out := room[float64](b, MaxParts*width), room[float64](b, width)
				c := ColumnSums{Rows: put(b, rows), Weight: put(b, weight), N: n, D4: width / 4, Sums: sums}
				b.ColumnSums(c)
				b.ColumnTotals(ColumnTotals{Sums: sums, N: n, Width: width, Scale: 0.5, Out: out})
				for j := range weighted {
					weighted[j] *= 0.5
				}
				near(t, "weighted sum", get[float64](b, out, width), weighted, 1e-6)

				for i := range rows {
					rows[i], rows64[i] = float32(i%7), float64(i%7)
					spread[i%width] += (rows64[i] - 3) * (rows64[i] - 3)
				}
				for j := range mean {
					mean[j] = 3
				}
				c.Rows, c.Weight, c.Mean = put(b, rows), 0, put(b, mean)
				b.ColumnSums(c)
				b.ColumnTotals(ColumnTotals{Sums: sums, N: n, Width: width, Scale: 1, Out: out})
				near(t, "distance to the mean", get[float64](b, out, width), spread, 1e-12)
			})
		}
	}
}

// TestUpdate compares Adam's step with its formula, for rows with a gradient and without, and
// the norms and factors of the rows of W_dec after it.
func TestUpdate(t *testing.T) {
	for _, width := range widths() {
		for _, last := range []bool{false, true} {
			t.Run(fmt.Sprintf("width=%d,normaliseLast=%v", width, last), func(t *testing.T) {
				b := newGPU(t)
				const f, biases = 9, 300
				n := f * width
				start := make([]int32, f+1)
				for i := range start {
					start[i] = int32(i / 2) // every other latent has a hit
				}
				decScale, decScale64 := numbers(9, f)
				if last {
					for i := range decScale {
						decScale[i], decScale64[i] = 1, 1
					}
				}
				step, clip := StepInput{Rate: 3e-3, Root: 1.5}, 0.25
				var p [12]ptr
				var want [12][]float64
				for i := range p { // W, M, V, G of encoder, decoder, biases
					size := n
					if i >= 8 {
						size = biases
					}
					v, w := numbers(20+i, size)
					if i%4 == 2 {
						for j := range v {
							v[j], w[j] = v[j]*v[j], float64(v[j]*v[j])
						}
					}
					if i%4 == 3 && i < 8 {
						for j := range v {
							if start[j/width+1] == start[j/width] {
								v[j], w[j] = float32(math.NaN()), 0 // not to be read
							}
						}
					}
					p[i], want[i] = put(b, v), w
				}
				before := make([]float32, 4*f) // of each latent's rounding only the last number is read
				for i := range f {
					before[4*i+3] = 4
				}
				u := Update{
					WEnc: p[0], MEnc: p[1], VEnc: p[2], GEnc: p[3], WDec: p[4], MDec: p[5], VDec: p[6], GDec: p[7],
					DecScale: put(b, decScale), EncHalf: room[uint8](b, 2*n), EncRounding: put(b, before), Start: put(b, start),
					F: f, D4: width / 4, NormaliseLast: last,
					WBias: p[8], MBias: p[9], VBias: p[10], GBias: p[11], Biases: biases,
					Input: put(b, bytesOf(step)), Totals: put(b, bytesOf(StepTotals{Clip: float32(clip)})),
				}
				b.Update(u)
				for k := 0; k < 12; k += 4 {
					w, m, v, g := want[k], want[k+1], want[k+2], want[k+3]
					for j := range w {
						weight := 1.0
						if k == 4 {
							weight = decScale64[j/width]
						}
						m[j] = 0.9*m[j] + 0.1*clip*g[j]
						v[j] = 0.999*v[j] + 0.001*clip*clip*g[j]*g[j]
						w[j] = w[j]*weight - float64(step.Rate)*m[j]/(math.Sqrt(v[j])*float64(step.Root)+1e-8)
					}
				}
				if last {
					for row := want[4]; len(row) > 0; row = row[width:] {
						sum := 0.0
						for _, v := range row[:width] {
							sum += v * v
						}
						for j := range width {
							row[j] /= math.Sqrt(sum) + trainer.Eps32
						}
					}
				}
				for i, name := range []string{"W_enc", "M", "V", "", "W_dec", "M", "V", "", "biases", "M", "V"} {
					if name != "" {
						near(t, name, get[float32](b, p[i], len(want[i])), want[i], 2e-6)
					}
				}
				got, rows := get[float32](b, u.DecScale, f), get[float32](b, u.WDec, n)
				scales := make([]float64, f)
				for i := range scales {
					sum := 0.0
					for _, v := range rows[i*width : (i+1)*width] {
						sum += float64(v) * float64(v)
					}
					scales[i] = 1 / (math.Sqrt(sum) + trainer.Eps32) // 1 where rows are at unit norm
				}
				near(t, "factors to unit norm", got, scales, 1e-6)
				if !last { // a run that goes on from a checkpoint here must have the same bits
					fresh := room[float32](b, f)
					b.DecScales(u.WDec, f, width/4, fresh)
					for i, v := range get[float32](b, fresh, f) {
						if v != got[i] {
							t.Errorf("factor %d is %v after Update, %v by DecScales", i, got[i], v)
						}
					}
				}
				checkLatents(t, b, get[float32](b, u.WEnc, n), u.EncHalf, u.EncRounding, f)
			})
		}
	}
}

// TestCopiedRows tests GatherBatch, Centre and GatherLatents, for widths that are multiples of
// four and for others.
func TestCopiedRows(t *testing.T) {
	for _, d := range []int{1, 7, 8, 130} {
		t.Run(fmt.Sprint(d), func(t *testing.T) {
			b := newGPU(t)
			const all, n = 20, 11
			d4 := 2 * over(d, 8)
			x, x64 := numbers(1, all*d)
			bias, bias64 := numbers(2, 4*d4)
			wide, _ := numbers(3, all*4*d4)
			rows, names := make([]int64, n), make([]int32, n)
			for i := range rows {
				rows[i] = int64(7 * i % all)
				names[i] = int32(rows[i])
			}
			batch, centred := room[float32](b, n*d), room[float32](b, n*4*d4)
			b.GatherBatch(GatherBatch{Data: put(b, x), Scale: 1, Rows: put(b, rows), N: n, D: d, Out: batch})
			b.Centre(Centre{
				X: batch, BDec: put(b, bias), Out: centred, Half: room[uint8](b, 2*n*4*d4), Rounding: room[float32](b, 4*n),
				Rows: n, D: d, D4: d4,
			})
			want := make([]float64, n*4*d4)
			for i := range n * d {
				want[i/d*4*d4+i%d] = x64[int(rows[i/d])*d+i%d] - bias64[i%d]
			}
			near(t, "centred rows", get[float32](b, centred, len(want)), want, 1e-7)

			out, outBias := room[float32](b, n*4*d4), room[float32](b, n)
			b.GatherLatents(GatherLatents{
				W: put(b, wide), Bias: put(b, make([]float32, all)), Latents: put(b, names[:4]), N: 4, Bytes: 16 * d4,
				Out: out, OutBias: outBias,
			})
			got := get[float32](b, out, 4*4*d4)
			for i, v := range got {
				if v != wide[int(names[i/(4*d4)])*4*d4+i%(4*d4)] {
					t.Fatalf("gathered row %d differs", i/(4*d4))
				}
			}
		})
	}
}

// TestStoredRows tests GatherBatch on numbers of 16 bits, all that are finite in rows of 256, and on float32: they must
// have the bits that the host gives. The other widths are multiples of eight and four numbers, and others.
func TestStoredRows(t *testing.T) {
	for _, d := range []int{1, 3, 4, 12, 40, 130, 256} {
		t.Run(fmt.Sprint(d), func(t *testing.T) {
			b := newGPU(t)
			n, step := 9, 0x9e37
			if d == 256 {
				n, step = 256, 1
			}
			order := make([]int64, n)
			for i := range order {
				order[i] = int64(n - 1 - i)
			}
			stored, wide := make([]uint16, n*d), make([]float32, n*d)
			for i := range wide {
				wide[i] = float32(uniform(1, i) - 0.5)
			}
			for kind, widen := range map[int]func(uint16) float32{
				StoredF16: safetensors.Float16, StoredBF16: safetensors.BFloat16, StoredF32: nil,
			} {
				if widen != nil {
					for i := range stored {
						stored[i] = uint16(i * step)
						if v := widen(stored[i]); v-v != 0 {
							stored[i] = 0
						}
						wide[i] = widen(stored[i])
					}
				}
				for _, scale := range []float32{1, 0.3} {
					for _, rows := range []ptr{0, put(b, order)} {
						data := put(b, stored)
						out := room[float32](b, n*d)
						if kind == StoredF32 {
							data = put(b, wide)
							if rows == 0 {
								out = data
							}
						}
						b.GatherBatch(GatherBatch{
							Data: data, Type: kind, Scale: scale, Rows: rows, N: n, D: d, Out: out,
						})
						for i, v := range get[float32](b, out, n*d) {
							from := i
							if rows != 0 {
								from = int(order[i/d])*d + i%d
							}
							if want := wide[from] * scale; math.Float32bits(v) != math.Float32bits(want) {
								t.Fatalf("type %d, scale %g: number %d is %g, want %g", kind, scale, i, v, want)
							}
						}
					}
				}
			}
		})
	}
}

package cpu

import (
	"fmt"
	"math"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// noise fills v with numbers in [-1, 1) and returns it.
func noise(v []float32, stream uint64) []float32 {
	for i := range v {
		v[i] = float32(2*trainer.Uniform(2, stream, uint64(i)) - 1)
	}
	return v
}

func closeTo(t *testing.T, what string, got, want, scale float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 2e-6*scale) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// TestKernels compares every kernel of every path with plain loops in float64.
func TestKernels(t *testing.T) {
	for _, path := range Paths() {
		k := kernelsOf(path)
		if k == nil {
			t.Logf("%s cannot run here", path)
			continue
		}
		t.Run(path, func(t *testing.T) {
			for _, n := range []int{16, 32, 48, 64, 128, 144, 160, 256, 272, 384, 400, 512, 528, 768} {
				for _, rows := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9} {
					t.Run(fmt.Sprintf("n=%d,rows=%d", n, rows), func(t *testing.T) { rowKernels(t, k, n, rows) })
				}
			}
			for _, d := range []int{1, 2, 3, 5, 16, 17, 37} {
				t.Run(fmt.Sprintf("d=%d", d), func(t *testing.T) { panelKernels(t, k, d) })
			}
			t.Run("adam", func(t *testing.T) { adamKernel(t, k) })
		})
	}
}

func rowKernels(t *testing.T, k *kernels, n, rows int) {
	base, v := noise(make([]float32, 11*n), 1), noise(make([]float32, n), 2)
	ids, coef := make([]int32, rows), noise(make([]float32, rows), 3)
	for i := range ids {
		ids[i] = int32(i * 7 % 11)
	}
	dots := make([]float32, rows)
	k.dots(dots, v, base, ids)
	sum := noise(make([]float32, n), 4)
	start, want := append([]float32(nil), sum...), make([]float64, n)
	for j := range want {
		want[j] = float64(sum[j])
	}
	k.combine(sum, sum, coef, base, ids)
	fresh := noise(make([]float32, n), 6)
	k.combine(fresh, nil, coef, base, ids)
	for i, id := range ids {
		dot := 0.0
		for j := range n {
			dot += float64(v[j]) * float64(base[int(id)*n+j])
			want[j] += float64(coef[i]) * float64(base[int(id)*n+j])
		}
		closeTo(t, fmt.Sprintf("dot %d", i), float64(dots[i]), dot, math.Sqrt(float64(n)))
	}
	for j := range want {
		closeTo(t, fmt.Sprintf("combine %d", j), float64(sum[j]), want[j], 4)
		closeTo(t, fmt.Sprintf("combine %d from zero", j), float64(fresh[j]), want[j]-float64(start[j]), 4)
	}
	x, squares := noise(make([]float32, n), 5), 0.0
	k.axpy(x, -0.75, v)
	for j, y := range noise(make([]float32, n), 5) {
		closeTo(t, "axpy", float64(x[j]), float64(y)-0.75*float64(v[j]), 1)
		squares += float64(x[j]) * float64(x[j])
	}
	if got := k.sumSquares(x); !(math.Abs(got-squares) <= 1e-13*squares) {
		t.Errorf("sumSquares: %v, want %v", got, squares)
	}
	for _, sign := range []float32{1, -1} {
		for _, at := range []int{0, n / 3, n - 1} {
			y := append([]float32(nil), x...)
			y[at] = 3 * sign
			if got := k.largest(y); got != 3 {
				t.Errorf("largest: %v, want that of %v at %d", got, y[at], at)
			}
		}
	}
	k.scale(x, 0.5)
	if got := k.sumSquares(x); !(math.Abs(got-squares/4) <= 1e-13*squares) {
		t.Errorf("sumSquares of the half: %v, want %v", got, squares/4)
	}
}

// panelKernels compares the products, and the bounds made from them, with float64.
func panelKernels(t *testing.T, k *kernels, d int) {
	words, width := k.screen.words(d), roundUp(d, lane)
	tokens, latents := noise(make([]float32, mr*width), 6), noise(make([]float32, nr*width), 7)
	for i := range tokens {
		if i%width >= d {
			tokens[i] = 0
		}
	}
	for i := range latents {
		if i%width >= d {
			latents[i] = 0
		}
	}
	pack := func(rows []float32, n int, scale float32) []float32 {
		each, packed := width/k.screen.perWord, make([]float32, n*words+1)
		raw := make([]float32, n*each)
		for r := range n {
			k.screen.quantize(raw[r*each:(r+1)*each], rows[r*width:(r+1)*width], scale)
		}
		k.transpose(packed[:n*words], raw, n)
		for i := range n * words {
			if math.Float32bits(packed[i]) != math.Float32bits(raw[i%n*each+i/n]) {
				t.Fatalf("transpose: element %d is %v, want %v", i, packed[i], raw[i%n*each+i/n])
			}
		}
		if packed[n*words] != 0 {
			t.Error("transpose writes past the end")
		}
		return packed[:n*words]
	}
	const scale = 1000
	var x [2][mr]float32
	var w [4][nr]float32
	var above [mr]float32
	for i := range x {
		noise(x[i][:], 8+uint64(i))
	}
	for i := range w {
		noise(w[i][:], 10+uint64(i))
	}
	noise(above[:], 13)
	above[6], above[7], x[1][5] = float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())

	type product func(a, w []float32, out *[mr][nr]float32)
	check := func(what string, product product, a, b []float32, round func(float32) float64) {
		var out [mr][nr]float32
		var hit, fromOver [mr]uint32
		out[3][3] = 5 // the product is added to it
		product(a, b, &out)
		got := out
		k.bound(&out, &x, &w, &above, &hit)
		if k.over(&out, &above, &fromOver); fromOver != hit {
			t.Errorf("over: %x, want %x", fromOver, hit)
		}
		for r := range mr {
			for j := range nr {
				want := 0.0
				if r == 3 && j == 3 {
					want = 5
				}
				size := 1.0
				for i := range d {
					a, b := round(tokens[r*width+i]), round(latents[j*width+i])
					want += a * b
					size += math.Abs(a * b)
				}
				closeTo(t, what, float64(got[r][j]), want, size)
				v := out[r][j]
				bound := float64(got[r][j])*float64(w[0][j])*float64(x[0][r]) +
					float64(w[2][j]) + float64(x[1][r])*float64(w[1][j])
				if r == 5 {
					if v == v {
						t.Fatalf("bound: %v where a token's margin is NaN", v)
					}
				} else {
					closeTo(t, "bound", float64(v), bound, math.Abs(float64(got[r][j]))+2)
				}
				if hits := !(v <= above[r]); hits != (hit[r]>>j&1 == 1) {
					t.Errorf("bound: token %d, latent %d is %v over %v, hit %v", r, j, v, above[r], !hits)
				}
			}
		}
	}
	round := func(v float32) float64 { return float64(v) }
	if k.screen.perWord == 2 {
		round = func(v float32) float64 { return math.RoundToEven(float64(v * scale)) }
	}
	check("product", k.screen.product, pack(tokens, mr, scale), pack(latents, nr, scale), round)
	plain := *k
	plain.screen = floats(k.gemm)
	k = &plain
	words = k.screen.words(d)
	check("gemm", k.gemm, pack(tokens, mr, 1), pack(latents, nr, 1), func(v float32) float64 { return float64(v) })
}

func adamKernel(t *testing.T, k *kernels) {
	const n = 64
	p := adam{weight: 0.5, beta1: 0.9, gain1: 0.05, beta2: 0.999, gain2: 2e-4, step: 0.01, root: 3, eps: 1e-8}
	for _, g := range [][]float32{noise(make([]float32, n), 1), nil} {
		w, m, v := noise(make([]float32, n), 2), noise(make([]float32, n), 3), noise(make([]float32, n), 4)
		for i := range v {
			v[i] *= v[i]
		}
		m[3], v[3] = 1e-39, 1e-40 // denormals may become zero
		w0, m0, v0 := append([]float32(nil), w...), append([]float32(nil), m...), append([]float32(nil), v...)
		k.adam(w, m, v, g, &p)
		for i := range n {
			grad := 0.0
			if g != nil {
				grad = float64(g[i])
			}
			wantM, wantV := 0.9*float64(m0[i])+0.05*grad, 0.999*float64(v0[i])+2e-4*grad*grad
			closeTo(t, "m", float64(m[i]), wantM, 1)
			closeTo(t, "v", float64(v[i]), wantV, 1)
			closeTo(t, "w", float64(w[i]), 0.5*float64(w0[i])-0.01*wantM/(3*math.Sqrt(wantV)+1e-8), 1)
		}
	}
	// Outside of the kernel, denormals are not flushed.
	tiny := []float32{1e-39}
	if tiny[0]*1 == 0 {
		t.Error("denormals are flushed in Go code")
	}
}

package cpu

import (
	"fmt"
	"math"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// noise fills v with numbers of either sign.
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

// Every kernel of every path against the same written plainly in float64.
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
	k.scale(x, 0.5)
	if got := k.sumSquares(x); !(math.Abs(got-squares/4) <= 1e-13*squares) {
		t.Errorf("sumSquares of the half: %v, want %v", got, squares/4)
	}
}

func panelKernels(t *testing.T, k *kernels, d int) {
	var bias [nr]float32
	var above [mr]float32
	var out [mr][nr]float32
	var hit [mr]uint32
	a, w := noise(make([]float32, d*mr), 6), noise(make([]float32, d*nr), 7)
	noise(bias[:], 8)
	noise(above[:], 9)
	a[(d-1)*mr+5] = float32(math.NaN())
	above[6], above[7] = float32(math.Inf(1)), float32(math.Inf(-1))
	k.tile(a, w, &bias, &above, &out, &hit)
	var again [mr]uint32
	if k.over(&out, &above, &again); again != hit {
		t.Errorf("over: %x, want %x", again, hit)
	}
	acc := noise(make([]float32, d*lane), 10)
	k.lanes(acc, w, &bias)
	for r := range mr {
		for j := range nr {
			want := float64(bias[j])
			for i := range d {
				want += float64(a[i*mr+r]) * float64(w[i*nr+j])
			}
			got := out[r][j]
			if r == 5 {
				if got == got {
					t.Fatalf("tile: %v where a factor is NaN", got)
				}
			} else {
				closeTo(t, "tile", float64(got), want, math.Sqrt(float64(d)+1))
			}
			if hits := !(got <= above[r]); hits != (hit[r]>>j&1 == 1) {
				t.Errorf("tile: token %d, latent %d is %v over %v, hit %v", r, j, got, above[r], !hits)
			}
		}
	}
	for i, was := range noise(make([]float32, d*lane), 10) {
		row, j := w[i/lane*nr:], i%lane
		closeTo(t, "lanes", float64(acc[i]), float64(was)+float64(bias[j])*float64(row[j])+float64(bias[lane+j])*float64(row[lane+j]), 3)
	}
	width := roundUp(d, lane)
	src, dst := noise(make([]float32, nr*width), 11), make([]float32, d*nr+1)
	k.transpose(dst[:d*nr], src)
	for i := range d * nr {
		if dst[i] != src[i%nr*width+i/nr] {
			t.Fatalf("transpose: element %d is %v, want %v", i, dst[i], src[i%nr*width+i/nr])
		}
	}
	if dst[d*nr] != 0 {
		t.Error("transpose writes past the end")
	}
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
	// The flushing of denormals ends with the kernel.
	tiny := []float32{1e-39}
	if tiny[0]*1 == 0 {
		t.Error("denormals are flushed in Go code")
	}
}

//go:build cuda

package driver

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestGemm compares products with sums in float64, for all ways to transpose and both
// ways to round.
func TestGemm(t *testing.T) {
	d := open(t)
	s := must[*Stream](t)(d.Stream())
	b := must[*Blas](t)(d.Blas())
	t.Logf("on %v, with a driver for CUDA %d.%d and cuBLAS %d.%d", d.Info(), d.Info().Driver/1000, d.Info().Driver%1000/10,
		b.Version/1000, b.Version%1000/10) // a line that bin/gpu-check prints
	const m, n, k = 5, 7, 33
	r := rand.New(rand.NewPCG(1, 2))
	random := func(rows, columns int) []float32 {
		v := make([]float32, rows*columns)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		return v
	}
	for _, c := range []struct {
		ta, tb  bool
		compute Compute
		tol     float64
	}{
		{false, false, ComputeF32, 1e-5},
		{true, false, ComputeF32, 1e-5},
		{false, true, ComputeF32, 1e-5},
		{true, true, ComputeF32, 1e-5},
		{true, false, ComputeTF32, 2e-2},
	} {
		x, y, z := random(m, k), random(k, n), random(m, n)
		spec := GemmSpec{
			TransA: c.ta, TransB: c.tb, M: m, N: n, K: k, LDA: m, LDB: k, LDC: m,
			Compute: c.compute, Alpha: 2, Beta: 0.5,
		}
		a := func(i, l int) float64 { return float64(x[i+l*m]) }
		bb := func(l, j int) float64 { return float64(y[l+j*k]) }
		if c.ta {
			spec.LDA = k
			a = func(i, l int) float64 { return float64(x[l+i*k]) }
		}
		if c.tb {
			spec.LDB = n
			bb = func(l, j int) float64 { return float64(y[j+l*n]) }
		}
		spec.A = must[Ptr](t)(d.Alloc(4 * m * k))
		spec.B = must[Ptr](t)(d.Alloc(4 * k * n))
		spec.C = must[Ptr](t)(d.Alloc(4 * m * n))
		got := make([]float32, m*n)
		check(t, d.Upload(spec.A, Bytes(x)), d.Upload(spec.B, Bytes(y)), d.Upload(spec.C, Bytes(z)))
		check(t, b.Gemm(s, spec), s.Synchronize(), d.Download(Bytes(got), spec.C))
		for j := range n {
			for i := range m {
				var sum float64
				for l := range k {
					sum += a(i, l) * bb(l, j)
				}
				want := 2*sum + 0.5*float64(z[i+j*m])
				if diff := math.Abs(float64(got[i+j*m]) - want); !(diff <= c.tol*(1+math.Abs(want))) {
					t.Errorf("%+v: (%d, %d) is %v, want %v", c, i, j, got[i+j*m], want)
				}
			}
		}
		spec.LDC = 1
		if err := b.Gemm(s, spec); err == nil {
			t.Error("no error for columns of C that overlap")
		}
		check(t, d.Free(spec.A), d.Free(spec.B), d.Free(spec.C))
	}
	check(t, b.Close(), s.Close())
}

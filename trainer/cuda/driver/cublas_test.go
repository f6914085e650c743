//go:build cuda

package driver

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestGemm compares products of float16 numbers with sums in float64, for all ways to transpose.
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
			v[i] = float32(r.IntN(65)-32) / 8
		}
		return v
	}
	for _, c := range []struct{ ta, tb bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
		x, y, z := random(m, k), random(k, n), random(m, n)
		spec := GemmSpec{
			TransA: c.ta, TransB: c.tb, M: m, N: n, K: k, LDA: m, LDB: k, LDC: m,
			Alpha: 2, Beta: 0.5,
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
		spec.A = must[Ptr](t)(d.Alloc(2 * m * k))
		spec.B = must[Ptr](t)(d.Alloc(2 * k * n))
		spec.C = must[Ptr](t)(d.Alloc(2 * m * n))
		got := make([]uint16, m*n)
		check(t, d.Upload(spec.A, halves(x)), d.Upload(spec.B, halves(y)), d.Upload(spec.C, halves(z)))
		check(t, b.Gemm(s, spec), s.Synchronize(), d.Download(Bytes(got), spec.C))
		for j := range n {
			for i := range m {
				var sum float64
				for l := range k {
					sum += a(i, l) * bb(l, j)
				}
				want := 2*sum + 0.5*float64(z[i+j*m])
				have := fromHalf(got[i+j*m])
				if diff := math.Abs(have - want); !(diff <= 0x1p-11*math.Abs(want)+1e-2) {
					t.Errorf("%+v: (%d, %d) is %v, want %v", c, i, j, have, want)
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

// halves returns numbers that float16 has, and that are 0 or normal, as float16.
func halves(v []float32) []byte {
	out := make([]uint16, len(v))
	for i, x := range v {
		if bits := math.Float32bits(x); x != 0 {
			out[i] = uint16(bits>>16&0x8000 | (bits&0x7fffffff-112<<23)>>13)
		}
	}
	return Bytes(out)
}

// fromHalf returns a float16 that is 0 or normal.
func fromHalf(h uint16) float64 {
	if h&0x7fff == 0 {
		return 0
	}
	return float64(math.Float32frombits(uint32(h)&0x8000<<16 | (uint32(h)&0x7fff<<13 + 112<<23)))
}

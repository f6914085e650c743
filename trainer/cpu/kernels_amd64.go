package cpu

import xcpu "golang.org/x/sys/cpu"

// kernelsOf returns the kernels of a path, or nil where they cannot run. Path avx512
// screens in float32: without VNNI, AVX-512 multiplies integers no faster.
func kernelsOf(name string) *kernels {
	x := &xcpu.X86
	avx2 := x.HasAVX2 && x.HasFMA
	avx512 := avx2 && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL
	switch {
	case name == "portable":
		return portable()
	case name == "avx2" && avx2:
		return &kernels{
			name:   name,
			screen: screenProduct{perWord: 2, quantize: quantizeAVX2, product: productPairsAVX2}, gemm: productAVX2,
			bound: boundAVX2, over: overAVX2, dots: dotsAVX2, dotSums: 16, combine: combineAVX2, axpy: axpyAVX2,
			scale: scaleAVX2, sumSquares: sumSquaresAVX2, largest: largestAVX2, adam: adamAVX2, transpose: transposeAVX,
		}
	case name == "avx512" && avx512, name == "avx512vnni" && avx512 && x.HasAVX512VNNI:
		k := &kernels{
			name:   name,
			screen: floats(productAVX512), gemm: productAVX512,
			bound: boundAVX512, over: overAVX512, dots: dotsAVX512, dotSums: 16, combine: combineAVX512, axpy: axpyAVX512,
			scale: scaleAVX512, sumSquares: sumSquaresAVX512, largest: largestAVX512, adam: adamAVX512, transpose: transposeAVX,
		}
		if name == "avx512vnni" {
			k.screen = screenProduct{perWord: 2, quantize: quantizeAVX512, product: productVNNI}
		}
		return k
	}
	return nil
}

//go:noescape
func productVNNI(a, w []float32, out *[mr][nr]float32)

//go:noescape
func productAVX512(a, w []float32, out *[mr][nr]float32)

//go:noescape
func boundAVX512(out *[mr][nr]float32, x *[2][mr]float32, w *[4][nr]float32, above *[mr]float32, hit *[mr]uint32)

//go:noescape
func overAVX512(out *[mr][nr]float32, above *[mr]float32, hit *[mr]uint32)

//go:noescape
func dotsAVX512(dst, v, base []float32, rows []int32)

//go:noescape
func combineAVX512(dst, init, coef, base []float32, rows []int32)

//go:noescape
func axpyAVX512(dst []float32, a float32, x []float32)

//go:noescape
func scaleAVX512(x []float32, a float32)

//go:noescape
func sumSquaresAVX512(x []float32) float64

//go:noescape
func largestAVX512(x []float32) float32

//go:noescape
func adamAVX512(w, m, v, g []float32, p *adam)

//go:noescape
func quantizeAVX512(dst, src []float32, scale float32)

//go:noescape
func productPairsAVX2(a, w []float32, out *[mr][nr]float32)

//go:noescape
func productAVX2(a, w []float32, out *[mr][nr]float32)

//go:noescape
func boundAVX2(out *[mr][nr]float32, x *[2][mr]float32, w *[4][nr]float32, above *[mr]float32, hit *[mr]uint32)

//go:noescape
func overAVX2(out *[mr][nr]float32, above *[mr]float32, hit *[mr]uint32)

//go:noescape
func dotsAVX2(dst, v, base []float32, rows []int32)

//go:noescape
func combineAVX2(dst, init, coef, base []float32, rows []int32)

//go:noescape
func axpyAVX2(dst []float32, a float32, x []float32)

//go:noescape
func scaleAVX2(x []float32, a float32)

//go:noescape
func sumSquaresAVX2(x []float32) float64

//go:noescape
func largestAVX2(x []float32) float32

//go:noescape
func adamAVX2(w, m, v, g []float32, p *adam)

//go:noescape
func quantizeAVX2(dst, src []float32, scale float32)

//go:noescape
func transposeAVX(dst, src []float32, rows int)

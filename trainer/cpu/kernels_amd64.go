package cpu

import xcpu "golang.org/x/sys/cpu"

// kernelsOf returns the kernels of a path, or nil where they cannot run.
func kernelsOf(name string) *kernels {
	switch {
	case name == "portable":
		return portable()
	case name == "avx2" && xcpu.X86.HasAVX2 && xcpu.X86.HasFMA:
		return &kernels{
			name: name,
			tile: tileAVX2, over: overAVX2, dots: dotsAVX2, combine: combineAVX2, axpy: axpyAVX2, scale: scaleAVX2,
			sumSquares: sumSquaresAVX2, adam: adamAVX2, transpose: transposeAVX, lanes: lanesAVX2,
		}
	case name == "avx512" && xcpu.X86.HasAVX512F && xcpu.X86.HasAVX512BW && xcpu.X86.HasAVX512DQ && xcpu.X86.HasAVX512VL:
		return &kernels{
			name: name,
			tile: tileAVX512, over: overAVX512, dots: dotsAVX512, combine: combineAVX512, axpy: axpyAVX512, scale: scaleAVX512,
			sumSquares: sumSquaresAVX512, adam: adamAVX512, transpose: transposeAVX, lanes: lanesAVX512,
		}
	}
	return nil
}

//go:noescape
func tileAVX512(a, w []float32, bias *[nr]float32, above *[mr]float32, out *[mr][nr]float32, hit *[mr]uint32)

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
func adamAVX512(w, m, v, g []float32, p *adam)

//go:noescape
func lanesAVX512(acc, w []float32, coef *[nr]float32)

//go:noescape
func tileAVX2(a, w []float32, bias *[nr]float32, above *[mr]float32, out *[mr][nr]float32, hit *[mr]uint32)

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
func adamAVX2(w, m, v, g []float32, p *adam)

//go:noescape
func lanesAVX2(acc, w []float32, coef *[nr]float32)

//go:noescape
func transposeAVX(dst, src []float32)

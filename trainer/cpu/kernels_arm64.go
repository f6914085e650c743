package cpu

// kernelsOf returns the kernels of a path, or nil where they cannot run. Every
// arm64 processor has NEON.
func kernelsOf(name string) *kernels {
	k := portable()
	switch name {
	case "portable":
		return k
	case "neon":
		k.name, k.screen, k.gemm = name, floats(productNEON), productNEON
		k.dotSums = 16
		k.bound, k.over, k.dots, k.combine, k.axpy = boundNEON, overNEON, dotsNEON, combineNEON, axpyNEON
		return k
	}
	return nil
}

//go:noescape
func productNEON(a, w []float32, out *[mr][nr]float32)

//go:noescape
func boundNEON(out *[mr][nr]float32, x *[2][mr]float32, w *[4][nr]float32, above *[mr]float32, hit *[mr]uint32)

//go:noescape
func overNEON(out *[mr][nr]float32, above *[mr]float32, hit *[mr]uint32)

//go:noescape
func dotsNEON(dst, v, base []float32, rows []int32)

//go:noescape
func combineNEON(dst, init, coef, base []float32, rows []int32)

//go:noescape
func axpyNEON(dst []float32, a float32, x []float32)

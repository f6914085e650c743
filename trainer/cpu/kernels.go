package cpu

import "fmt"

// kernels are the inner loops, one set for each instruction path. Rows have a length
// that is a multiple of lane and lie one after the other; panels are as in layout.go.
// Each kernel adds in an order that depends only on the lengths of its arguments.
type kernels struct {
	name   string
	screen screenProduct

	// gemm adds the product of a panel of tokens, a as [n][mr], and a panel of latents,
	// w as [n][nr], to out, in float32. The benchmarks take its rate as the peak of a
	// GEMM.
	gemm func(a, w []float32, out *[mr][nr]float32)

	// bound turns products of screening into upper bounds of pre-activations,
	// out[r][j] = out[r][j]·w[0][j]·x[0][r] + w[2][j] + x[1][r]·w[1][j], with x of
	// encoder.bounds and w of encoderScreen.bounds. Then it sets hit as over does.
	bound func(out *[mr][nr]float32, x *[2][mr]float32, w *[4][nr]float32, above *[mr]float32, hit *[mr]uint32)

	// over sets bit j of hit[r] where !(out[r][j] <= above[r]), so also for NaN, and
	// clears the others. above[r] is the cutoff of token r.
	over func(out *[mr][nr]float32, above *[mr]float32, hit *[mr]uint32)

	// dots sets dst[i] to the product of v with row rows[i] of base, which has rows as
	// long as v. It adds in dotSums partial sums of equal length, then adds these.
	dots    func(dst, v, base []float32, rows []int32)
	dotSums int

	// combine sets dst to init + Σ_i coef[i]·base[rows[i]], where base has rows as long
	// as dst. A nil init is zero; init may be dst.
	combine func(dst, init, coef, base []float32, rows []int32)

	// axpy adds a·x to dst.
	axpy func(dst []float32, a float32, x []float32)

	// scale multiplies x by a.
	scale func(x []float32, a float32)

	// sumSquares returns Σ x², in float64.
	sumSquares func(x []float32) float64

	// largest returns the largest |x|, or any number if there is a NaN.
	largest func(x []float32) float32

	// adam updates the weights w and the moments m and v, all as long as w, with the
	// gradient g. A nil g is a gradient of zero.
	adam func(w, m, v, g []float32, p *adam)

	// transpose interleaves the rows of src, [rows][len(src)/rows], in dst,
	// [len(dst)/rows][rows]: dst[i·rows+r] = row r of src at i.
	transpose func(dst, src []float32, rows int)
}

// adam holds the constants of one step of Adam:
//
//	m' = beta1·m + gain1·g
//	v' = beta2·v + gain2·g²
//	w' = w·weight − step·m'/(√v'·root + eps)
//
// The factor that clips the gradient is in the gains.
type adam struct {
	weight, beta1, gain1, beta2, gain2, step, root, eps float32
}

// Paths lists the names of all instruction paths, the fastest first, whether or not
// this machine can run them.
func Paths() []string { return []string{"avx512vnni", "avx512", "avx2", "neon", "portable"} }

// kernelsFor returns the kernels of a path, or those of the fastest path that this
// machine can run if path is empty. An unknown path, or one that this machine cannot
// run, is an error that names the environment variable.
func kernelsFor(path string) (*kernels, error) {
	for _, name := range Paths() {
		if path != "" && path != name {
			continue
		}
		if k := kernelsOf(name); k != nil {
			return k, nil
		}
		if path != "" {
			return nil, fmt.Errorf("%s=%s: this machine cannot run it", PathVariable, path)
		}
	}
	return nil, fmt.Errorf("%s=%s: want one of %v", PathVariable, path, Paths())
}

package cpu

import "fmt"

// kernels are the inner loops, one set for each instruction path. Rows are
// row-major with a length that is a multiple of lane; a panel is as in layout.go.
// Each kernel adds in an order that depends on its arguments' lengths alone.
type kernels struct {
	name string

	screening

	// gemm is the path's product in float32: what Floor calls a GEMM's peak.
	gemm func(a, w []float32, out *[mr][nr]float32)

	// bound makes a product a bound of the pre-activations,
	// out[r][j] = out[r][j]·w[0][j]·x[0][r] + w[2][j] + x[1][r]·w[1][j], and sets hit
	// as over does.
	bound func(out *[mr][nr]float32, x *[2][mr]float32, w *[4][nr]float32, above *[mr]float32, hit *[mr]uint32)

	// over sets bit j of hit[r] where !(out[r][j] <= above[r]): NaN hits.
	over func(out *[mr][nr]float32, above *[mr]float32, hit *[mr]uint32)

	// dots sets dst[i] to the product of row v with row rows[i] of base.
	dots func(dst, v, base []float32, rows []int32)

	// combine sets dst to init + Σ_i coef[i]·base[rows[i]]; a nil init is zero, and
	// init may be dst.
	combine func(dst, init, coef, base []float32, rows []int32)

	// axpy adds a·x to dst.
	axpy func(dst []float32, a float32, x []float32)

	// scale multiplies x by a.
	scale func(x []float32, a float32)

	// sumSquares returns Σ x², in float64.
	sumSquares func(x []float32) float64

	// adam updates n weights and moments; a nil g is a gradient of zero.
	adam func(w, m, v, g []float32, p *adam)

	// transpose interleaves the rows of src in dst, [len(dst)/rows][rows].
	transpose func(dst, src []float32, rows int)
}

// adam holds one step's constants of Adam. The new weight is
// w·weight − step·m'/(√v'·root + eps), m' = beta1·m + gain1·g, v' = beta2·v +
// gain2·g²; the clip's factor is in the gains.
type adam struct {
	weight, beta1, gain1, beta2, gain2, step, root, eps float32
}

// Paths lists the instruction paths from fastest to slowest, whether or not this
// machine can run them.
func Paths() []string { return []string{"avx512vnni", "avx512", "avx2", "neon", "portable"} }

// kernelsFor returns the kernels of a path; the empty word stands for the
// fastest that this machine can run.
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

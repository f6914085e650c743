//go:build cuda

package kernels

import "github.com/topksweep/sweep/trainer/cuda/driver"

// MaxParts is how many parts sums of columns are taken in at most.
const MaxParts = 64

// partsOf is how many parts n rows are summed in.
func partsOf(n int) int { return min(MaxParts, over(n, 32)) }

// Columns sums N rows column by column into parts.
type Columns struct {
	Rows   ptr // [N,D4]
	Weight ptr // [N] float32, or 0: rows are weighted, those of weight 0 not read
	Mean   ptr // [4·D4] float64, or 0: squared distances to it are summed
	N, D4  int
	Part   ptr // [MaxParts,4·D4] float64
}

func (q *Queue) Columns(c Columns) {
	q.need(c.N > 0 && c.D4 > 0 && (c.Weight == 0 || c.Mean == 0), "columns: %d rows of %d", c.N, 4*c.D4)
	shape := driver.Shape{Grid: [3]uint32{uint32(over(c.D4, 32)), uint32(partsOf(c.N))}, Block: [3]uint32{32, 8}}
	q.launch("columns", shape, args(c.Rows, c.Weight, c.Mean, i32(c.N), i32(c.D4), c.Part))
}

// ColumnTotals adds the parts that Columns has summed n rows of width numbers in,
// times scale, to [width] float64.
func (q *Queue) ColumnTotals(part ptr, n, width int, scale float64, out ptr) {
	q.launch("column_totals", linear(width, 128), args(part, i32(partsOf(n)), i32(width), f64(scale), out))
}

// BiasParts is the number of blocks of BiasGradient.
func BiasParts(width int) int { return over(width, 128) }

// BiasGradient is b_dec's gradient.
type BiasGradient struct {
	Residual ptr // what Columns made of the residual's B rows
	B        int
	Encoder  ptr // and of W_enc's F rows, weighted with b_enc's gradient
	F        int
	Width    int
	Gradient ptr // [Width]
	Norm2    ptr // [BiasParts] float64: parts of its squared norm
}

func (q *Queue) BiasGradient(g BiasGradient) {
	q.launch("bias_gradient", linear(g.Width, 128), args(g.Residual, i32(partsOf(g.B)), i32(g.B), g.Encoder, i32(partsOf(g.F)), i32(g.Width),
		g.Gradient, g.Norm2))
}

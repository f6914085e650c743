//go:build cuda

package kernels

import "github.com/topksweep/sweep/trainer/cuda/driver"

// MaxParts is the most parts that rows are summed in.
const MaxParts = 64

// partsOf returns the number of parts that n rows are summed in.
func partsOf(n int) int { return min(MaxParts, over(n, 32)) }

// columnBlocks is the grid of a kernel that sums the columns of n rows in parts: 32 columns
// by 8 rows of threads a block (COLUMN_ROWS, MEDIAN_ROWS).
func columnBlocks(columns, n int) driver.Grid {
	return driver.Grid{
		Blocks:  [3]uint32{uint32(over(columns, 32)), uint32(partsOf(n))},
		Threads: [3]uint32{32, 8},
	}
}

// ColumnSums sums N rows column by column, in partsOf(N) parts. ColumnTotals or BiasGradient
// adds the parts.
type ColumnSums struct {
	Rows   ptr // [N,D4]
	Weight ptr // [N], or 0: each row is multiplied by its weight, and not read where that is 0
	Mean   ptr // [4·D4] float64, or 0: the squared distances from it are summed instead
	N, D4  int
	Sums   ptr // [MaxParts,4·D4] float64, result
}

func (q *Queue) ColumnSums(c ColumnSums) {
	q.require(c.N > 0 && c.D4 > 0 && (c.Weight == 0 || c.Mean == 0), "column sums: %d rows of %d", c.N, 4*c.D4)
	q.launch("column_sums", columnBlocks(c.D4, c.N), c.Rows, c.Weight, c.Mean, i32(c.N), i32(c.D4), c.Sums)
}

// ColumnTotals adds the parts of ColumnSums and multiplies the totals by Scale.
type ColumnTotals struct {
	Sums  ptr // result of ColumnSums
	N     int // rows that were summed
	Width int
	Scale float64
	Out   ptr // [Width] float64, result
}

func (q *Queue) ColumnTotals(c ColumnTotals) {
	q.launch("column_totals", linear(c.Width, 128), c.Sums, i32(partsOf(c.N)), i32(c.Width), f64(c.Scale), c.Out)
}

// BiasParts returns the number of parts in which BiasGradient leaves its squared norm.
func BiasParts(width int) int { return over(width, 128) }

// BiasGradient computes the gradient of b_dec.
type BiasGradient struct {
	Residual ptr // ColumnSums of the residual's B rows
	B        int
	Encoder  ptr // ColumnSums of W_enc's F rows with b_enc's gradient as weights
	F        int
	Width    int
	Gradient ptr // [Width] result
	Norm2    ptr // [BiasParts(Width)] float64, result: parts of its squared norm
}

func (q *Queue) BiasGradient(g BiasGradient) {
	q.launch("bias_gradient", linear(g.Width, 128), g.Residual, i32(partsOf(g.B)), i32(g.B), g.Encoder,
		i32(partsOf(g.F)), i32(g.Width), g.Gradient, g.Norm2)
}

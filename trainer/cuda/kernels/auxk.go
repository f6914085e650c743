//go:build cuda

package kernels

import "github.com/topksweep/sweep/trainer/cuda/driver"

// AuxKTotal makes the AuxK loss of recipes corrected and upstream, and the scale of its
// gradient.
type AuxKTotal struct {
	Error2  ptr // [Rows] float64: squared norm of what AuxK leaves of the residual
	Spread2 ptr // [Rows] float64: squared distance of the residual from its mean
	Rows    int
	Alpha   float64
	Totals  ptr // *StepTotals
}

func (q *Queue) AuxKTotal(a AuxKTotal) {
	q.launch("auxk_total", driver.Linear(1, 256), a.Error2, a.Spread2, i32(a.Rows), f64(a.Alpha), a.Totals)
}

// InertAuxK is the AuxK of recipe reference.
type InertAuxK struct {
	Residual ptr // [B,D4]
	BDec     ptr // [4·D4]
	Variance ptr // [4·D4] float64: sum over the batch of squared distances from the column's mean
	B, D, D4 int
	KAux     int
	Alpha    float64
	Totals   ptr // *StepTotals
	Gradient ptr // [B,D4] result: gradient of the whole loss by the reconstruction
	RowSum   ptr // [B] float64, scratch
}

func (q *Queue) InertAuxK(n InertAuxK) {
	q.launch("inert_auxk", blockEach(n.B, n.D), n.Residual, n.BDec, n.Variance, i32(n.B), i32(n.D), i32(4*n.D4),
		i32(n.KAux), f64(n.Alpha), n.Totals, n.Gradient, n.RowSum)
	q.launch("inert_auxk_total", driver.Linear(1, 256), n.RowSum, i32(n.B), i32(n.D), i32(n.KAux), n.Totals)
}

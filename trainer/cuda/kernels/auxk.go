//go:build cuda

package kernels

import "github.com/topksweep/sweep/trainer/cuda/driver"

// AuxKTotal makes the AuxK loss and its gradient's scale of each row's squared
// error and squared distance to the mean, float64 both.
func (q *Queue) AuxKTotal(left2, spread2 ptr, rows int, alpha float64, totals ptr) {
	q.launch("auxk_total", driver.Linear(1, 256, 0), args(left2, spread2, i32(rows), f64(alpha), totals))
}

// Inert is the reference's AuxK.
type Inert struct {
	Residual ptr // [B,D4]
	BDec     ptr
	Variance ptr // [4·D4] float64: sum over the batch of squared distances
	B, D, D4 int
	KAux     int
	Alpha    float64
	Totals   ptr
	Left     ptr // [B,D4]: gradient of the loss by the reconstruction
	RowSum   ptr // [B] float64
}

func (q *Queue) Inert(n Inert) {
	q.launch("inert", linear(n.B*wide(n.D), wide(n.D)), args(n.Residual, n.BDec, n.Variance, i32(n.B), i32(n.D), i32(4*n.D4), i32(n.KAux),
		f64(n.Alpha), n.Totals, n.Left, n.RowSum))
	q.launch("inert_total", driver.Linear(1, 256, 0), args(n.RowSum, i32(n.B), i32(n.D), i32(n.KAux), n.Totals))
}

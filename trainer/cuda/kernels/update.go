//go:build cuda

package kernels

import "strconv"

// Update takes Adam's step on all parameters.
type Update struct {
	WEnc, MEnc, VEnc, GEnc ptr // [F,D4]
	WDec, MDec, VDec, GDec ptr
	Unit                   ptr // [F] factors of the decoder's rows
	EncBF                  ptr // [F,D4] W_enc in bfloat16, or 0
	Start                  ptr // [F+1] of the hits
	F, D4                  int
	NormaliseLast          bool
	W, M, V, G             ptr // [Biases]: b_enc and b_dec
	Biases                 int
	Step, Totals           ptr
}

func (q *Queue) Update(u Update) {
	q.need(u.F > 0 && u.D4 > 0 && u.D4 <= MaxD4, "update: rows of %d", 4*u.D4)
	t := teamOf(u.D4)
	shape := t.shape(u.F)
	shape.Grid[0] += uint32(over(u.Biases, int(shape.Block[0]*max(1, shape.Block[1]))))
	q.launch("update"+strconv.Itoa(t.each), shape, args(u.WEnc, u.MEnc, u.VEnc, u.GEnc, u.WDec, u.MDec, u.VDec, u.GDec, u.Unit, u.EncBF,
		u.Start, i32(u.F), i32(u.D4), u.NormaliseLast, u.W, u.M, u.V, u.G, i32(u.Biases), u.Step, u.Totals))
}

// Units sets the factors that bring the rows of W_dec to unit norm.
func (q *Queue) Units(wDec ptr, f, d4 int, unit ptr) {
	q.launch("units", teamOf(d4).shape(f), args(wDec, i32(f), i32(d4), unit))
}

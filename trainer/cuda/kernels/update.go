//go:build cuda

package kernels

import "strconv"

// Update takes Adam's step for all parameters.
type Update struct {
	WEnc, MEnc, VEnc, GEnc     ptr // [F,D4]
	WDec, MDec, VDec, GDec     ptr // [F,D4]
	DecScale                   ptr // [F] factors that bring the rows of W_dec to unit norm
	EncHalf, EncRounding       ptr // [F,D4] W_enc in float16; [F] how it was rounded
	Start                      ptr // result of Scan: gradients of latents without hits are not read
	F, D4                      int
	NormaliseLast              bool // rows of W_dec are stored at unit norm
	WBias, MBias, VBias, GBias ptr  // [Biases]: b_enc and b_dec
	Biases                     int
	Input, Totals              ptr // *StepInput, *StepTotals
}

func (q *Queue) Update(u Update) {
	q.require(u.F > 0 && u.D4 > 0 && u.D4 <= MaxD4, "update: rows of %d", 4*u.D4)
	t := teamOf(u.D4)
	grid := t.grid(u.F)
	grid.Blocks[0] += uint32(over(u.Biases, int(grid.Threads[0]*max(1, grid.Threads[1]))))
	q.launch("update"+strconv.Itoa(t.each), grid, u.WEnc, u.MEnc, u.VEnc, u.GEnc, u.WDec, u.MDec, u.VDec, u.GDec,
		u.DecScale, u.EncHalf, u.EncRounding, u.Start, i32(u.F), i32(u.D4), flag(u.NormaliseLast),
		u.WBias, u.MBias, u.VBias, u.GBias, i32(u.Biases), u.Input, u.Totals)
}

// DecScales computes the factors that bring the f rows of wDec, [F,D4], to unit norm.
func (q *Queue) DecScales(wDec ptr, f, d4 int, decScale ptr) {
	q.launch("dec_scales", teamOf(d4).grid(f), wDec, i32(f), i32(d4), decScale)
}

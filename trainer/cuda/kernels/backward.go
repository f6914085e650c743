//go:build cuda

package kernels

import "strconv"

// Backward computes the gradients of W_enc, b_enc and W_dec, W_dec's projected.
type Backward struct {
	Residual, Left ptr // [B,D4]: gradients by the reconstruction but for the scales in Totals; Left is dead latents'
	Centred        ptr // [B,D4] x − b_dec
	WDec, Unit     ptr // [F,D4], [F]
	Dead           ptr // [F] bytes
	Start, Extra   ptr // as Scan has left them
	Token, Act     ptr // as Order has left them
	MaxExtras      int
	Segment        int
	F, D4          int
	ProjectFirst   bool
	Totals         ptr
	GDec, GEnc     ptr // [F,D4]; rows of latents without hits are not written
	GBias          ptr // [F]
	Norm2          ptr // [F] float64
	Spare          ptr // [MaxExtras,2,D4]
	SpareBias      ptr // [MaxExtras]
}

func (q *Queue) Backward(b Backward) {
	q.need(b.F > 0 && b.D4 > 0 && b.D4 <= MaxD4, "backward: rows of %d", 4*b.D4)
	t := teamOf(b.D4)
	variant := strconv.Itoa(t.each)
	if t.warps > 16 {
		variant = "_wide"
	}
	q.launch("backward"+variant, t.shape(b.MaxExtras+b.F), args(b.Residual, b.Left, b.Centred, b.WDec, b.Unit, b.Dead, b.Start, b.Extra,
		b.Token, b.Act, i32(b.MaxExtras), i32(b.Segment), i32(b.F), i32(b.D4), b.ProjectFirst, b.Totals, b.GDec, b.GEnc, b.GBias, b.Norm2,
		b.Spare, b.SpareBias))
	if b.MaxExtras > 0 {
		q.launch("rejoin"+variant, t.shape(b.MaxExtras), args(b.WDec, b.Unit, b.Start, b.Extra, i32(b.Segment), i32(b.D4), b.ProjectFirst,
			b.Totals, b.GDec, b.GEnc, b.GBias, b.Norm2, b.Spare, b.SpareBias))
	}
}

//go:build cuda

package kernels

import "strconv"

// Backward computes the gradients of W_enc, b_enc and W_dec, less the component of each row of
// W_dec's along that row of W_dec.
type Backward struct {
	// ∂loss/∂reconstruction, but for the scales of StepTotals. AuxResidual is that of dead
	// latents.
	Residual, AuxResidual ptr // [B,D4]
	Centred               ptr // [B,D4] x − b_dec
	WDec                  ptr // [F,D4]
	DecScale              ptr // [F]
	Dead                  ptr // [F] bytes
	Start, Extra          ptr // results of Scan
	Token, Act            ptr // results of Order
	MaxExtras             int // entries that Extra has room for
	Segment               int // hits of a segment
	F, D4                 int
	ProjectFirst          bool // Norm2 is that after the component is removed
	Totals                ptr  // *StepTotals

	GDec, GEnc  ptr // [F,D4] results; rows of latents without hits are not written
	GBias       ptr // [F] result
	Norm2       ptr // [F] float64, result: squared norm of the latent's gradients
	SegmentSums ptr // [MaxExtras,2,D4] scratch
	SegmentBias ptr // [MaxExtras] scratch
}

func (q *Queue) Backward(b Backward) {
	q.require(b.F > 0 && b.D4 > 0 && b.D4 <= MaxD4, "backward: rows of %d", 4*b.D4)
	t := teamOf(b.D4)
	variant := strconv.Itoa(t.each)
	if t.warps > 16 {
		variant = "_wide"
	}
	q.launch("backward"+variant, t.grid(b.MaxExtras+b.F), b.Residual, b.AuxResidual, b.Centred, b.WDec, b.DecScale,
		b.Dead, b.Start, b.Extra, b.Token, b.Act, i32(b.MaxExtras), i32(b.Segment), i32(b.F), i32(b.D4),
		flag(b.ProjectFirst), b.Totals, b.GDec, b.GEnc, b.GBias, b.Norm2, b.SegmentSums, b.SegmentBias)
	if b.MaxExtras > 0 {
		q.launch("rejoin"+variant, t.grid(b.MaxExtras), b.WDec, b.DecScale, b.Start, b.Extra, i32(b.Segment), i32(b.D4),
			flag(b.ProjectFirst), b.Totals, b.GDec, b.GEnc, b.GBias, b.Norm2, b.SegmentSums, b.SegmentBias)
	}
}

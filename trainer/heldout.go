package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// The loss curve has the nmse of held-out rows at a few steps, the held-out points. They change no bit of training.
const (
	// heldOutRows is the number of rows that a point is measured on, unless fewer are held out: the first ones.
	heldOutRows = 512

	// heldOutFrom is the first step that may have a point, and heldOutShare the number of tokens trained before a
	// point for each row that it is measured on. They keep the points of a run under 2% of its training.
	heldOutFrom  = 128
	heldOutShare = 256
)

// OnHeldOut reports whether the loss curve has a held-out point at a step of batch tokens, where rows are held out. It
// has one at 2^j and 1.5·2^j steps, from step 128 on, once 256 tokens are trained for each row that is measured:
//
//	128, 192, 256, 384, 512, …    with batch_size 1024 or more, or few rows held out
//	1024, 1536, 2048, 3072, …     with batch_size 128
//
// So a run of n steps has at most 2·log2(n/128) + 1 points. All these steps are OnCurve.
func OnHeldOut(step int64, batch int, rows int64) bool {
	if rows < 1 || batch < 1 || step < heldOutFrom {
		return false
	}
	need := heldOutShare * min(heldOutRows, rows)
	if step < (need+int64(batch)-1)/int64(batch) {
		return false
	}
	for step%2 == 0 {
		step /= 2
	}
	return step == 1 || step == 3
}

// HeldOutBytes returns the host's memory in bytes that measuring a held-out point takes at most; 0 for a run that is
// too short for one.
func HeldOutBytes(c Config) int64 {
	if c.Steps <= heldOutFrom {
		return 0
	}
	rows, d, k := int64(heldOutRows), int64(c.ActivationDim), int64(c.K)
	return 4 * (3*rows*d + 4*rows*k + (d+1)*min(rows*k, int64(c.DictSize)))
}

// measureHeldOut measures the held-out point of the step that the model is at, if that step has one and is before to.
// A point of a model whose activations or reconstructions are not finite has no value. The error is that of reading
// the rows, or of the device.
func (l *Loop) measureHeldOut(ctx context.Context, to int64) error {
	if l.step >= to || l.heldOutStep == l.step || l.heldOut == nil ||
		!OnHeldOut(l.step, l.cfg.BatchSize, l.heldOut.EvalRows()) {
		return nil
	}
	nmse, err := heldOutNMSE(l.model, l.cfg, l.heldOut)
	if numeric := (*NumericError)(nil); errors.As(err, &numeric) {
		nmse, err = nil, nil
	}
	if err != nil {
		return l.at(ctx, fmt.Errorf("held-out rows: %w", err), Stats{})
	}
	l.heldOutStep, l.heldOutNMSE = l.step, nmse
	return nil
}

// heldOutNMSE returns what Evaluate would measure as nmse of the model as it is now, if only the first heldOutRows rows
// were held out. It is nil where that is no number.
func heldOutNMSE(m Model, c Config, data HeldOut) (*float64, error) {
	n, d, k := int(min(heldOutRows, data.EvalRows())), c.ActivationDim, c.K
	x := make([]float32, n*d)
	if err := data.Eval(0, x); err != nil {
		return nil, err
	}
	acts, latents := make([]float32, n*k), make([]int32, n*k)
	if err := m.Encode(x, k, nil, acts, latents); err != nil {
		return nil, err
	}
	for _, a := range acts {
		if !(a <= math.MaxFloat32) {
			return nil, nil
		}
	}
	kept := keptLatents(acts, latents)
	wDec, bDec := make([]float32, len(kept)*d), make([]float32, d)
	if err := m.DecoderRows(kept, wDec, bDec); err != nil {
		return nil, err
	}
	eachBlock(len(kept), func(from, to int, _ *struct{}) { unitInto(wDec[from*d:to*d], wDec[from*d:to*d], d) })
	// From here on a latent is the number of its row of wDec. These rows have the order of the latents, so that the
	// sums of decoding have their order too.
	for i, f := range latents {
		if acts[i] > 0 {
			row, _ := slices.BinarySearch(kept, f)
			latents[i] = int32(row)
		}
	}
	shift := widened(x[:d])
	type part struct {
		sums sums
		x    moments
	}
	var total part
	for _, p := range eachBlock(n, func(from, to int, p *part) {
		y := make([]float64, d)
		for r := from; r < to; r++ {
			acts := acts[r*k : (r+1)*k]
			reconstruct(wDec, bDec, acts, latents[r*k:(r+1)*k], y)
			p.sums.row(x[r*d:(r+1)*d], y, acts)
		}
		p.x = momentsOf(x[from*d:to*d], shift)
	}) {
		total.sums.add(p.sums)
		total.x.add(p.x)
	}
	return quotient(total.sums.e2, total.x.variance()), nil
}

// keptLatents returns the latents with an activation > 0, in ascending order.
func keptLatents(acts []float32, latents []int32) []int32 {
	kept := make([]int32, 0, len(latents))
	for i, f := range latents {
		if acts[i] > 0 {
			kept = append(kept, f)
		}
	}
	slices.Sort(kept)
	return slices.Compact(kept)
}

package trainer

import (
	"context"
	"fmt"
)

// A heldGroup is a group of held-out rows on its way through the evaluation.
type heldGroup struct {
	first               int64     // the number of its first row
	x                   []float32 // [n,D] the rows
	acts, auxActs       []float32 // [n,K] kept, and of AuxK
	latents, auxLatents []int32
}

// groups reads, encodes and sums all held-out rows. These are three stages, each of which works on a group of its own
// at the same time:
//
//	reads   0  1  2  3
//	encodes    0  1  2  3
//	sums          0  1  2  3
//
// Each stage takes the groups in order, one after the other. So the sums do not depend on who is faster, and the first
// row with an error is the one that is reported. When groups returns, none of them works any more.
func (e *evaluation) groups(ctx context.Context, data HeldOut) error {
	rows, d := data.EvalRows(), int64(e.c.ActivationDim)
	summed := make(chan struct{}, 1) // full while no group is summed
	summed <- struct{}{}
	defer func() { <-summed }()
	spare := make([]float32, min(groupRows, rows)*d) // the rows of the group that is summed
	ahead := ReadAhead[*heldGroup]{
		Buffers: []*heldGroup{{x: make([]float32, len(spare))}, {x: make([]float32, len(spare))}},
		Read: func(i int64, g *heldGroup) error {
			g.first = i * groupRows
			g.x = g.x[:min(groupRows, rows-g.first)*d]
			return data.Eval(g.first, g.x)
		},
		Train: func(g *heldGroup) (Stats, error) {
			if err := e.encodeGroup(g); err != nil {
				return Stats{}, e.blame(err, data, g)
			}
			<-summed
			now := *g
			g.x, spare = spare[:cap(spare)], g.x
			go func() {
				e.add(&now)
				summed <- struct{}{}
			}()
			return Stats{}, nil
		},
	}
	for _, err := range ahead.Steps(ctx, 0, (rows+groupRows-1)/groupRows) {
		if ctx.Err() != nil { // who evaluates looks at it once for each group
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("evaluate: %w", err)
		}
	}
	return nil
}

// encodeGroup encodes a group's rows. The error is that of encode.
func (e *evaluation) encodeGroup(g *heldGroup) (err error) {
	if g.acts, g.latents, err = e.encode(g.x, e.c.K, nil); err != nil {
		return err
	}
	if k := e.auxKWidth(); k > 0 {
		g.auxActs, g.auxLatents, err = e.encode(g.x, k, e.dead)
	}
	return err
}

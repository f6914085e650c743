package trainer

import (
	"errors"
	"fmt"
)

// blame names the held-out row of a group at which the encoder met a number that is not
// finite. Other errors it returns as they are.
func (e *evaluation) blame(err error, data HeldOut, g *heldGroup) error {
	if numeric := (*NumericError)(nil); !errors.As(err, &numeric) {
		return err
	}
	d, x := e.c.ActivationDim, g.x
	for at := 0; at < len(x); at += d {
		row := x[at : at+d]
		if e.encodes(row) {
			continue
		}
		held, place := g.first+int64(at/d), ""
		if l, ok := data.(Locator); ok {
			place = l.LocateEval(held)
		}
		out := &NumericError{Step: e.s.Step}
		col, bad := badNumber(row)
		if bad {
			out.What, out.Why = describeBad(fmt.Sprintf("held-out row %d", held), place, row[col], col)
			return out
		}
		out.What = fmt.Sprintf("the activations of held-out row %d are not finite; its largest number is %g", held, row[col])
		return out
	}
	return err
}

// encodes reports whether all activations of a row that the evaluation needs are finite.
func (e *evaluation) encodes(row []float32) bool {
	return e.encodeGroup(&heldGroup{x: row}) == nil
}

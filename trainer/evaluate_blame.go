package trainer

import (
	"errors"
	"fmt"
)

// blame names the held-out row at which the encoder of x_nD met a number that is not
// finite. The first row of x is held-out row first. Other errors it returns as they are.
func (e *evaluation) blame(err error, data HeldOut, first int64, x []float32) error {
	if numeric := (*NumericError)(nil); !errors.As(err, &numeric) {
		return err
	}
	d := e.c.ActivationDim
	for at := 0; at < len(x); at += d {
		row := x[at : at+d]
		if e.encodes(row) {
			continue
		}
		held, place := first+int64(at/d), ""
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
	_, _, err := e.encode(row, e.c.K, nil)
	if err == nil && e.nDead > 0 && !e.recipe.InertAuxK {
		_, _, err = e.encode(row, min(e.c.KAux, e.nDead), e.dead)
	}
	return err == nil
}

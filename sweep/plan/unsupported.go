package plan

import (
	"fmt"
	"strings"
)

// An UnsupportedError names the cells of a plan that the chosen backend cannot train.
type UnsupportedError struct {
	Cells []UnsupportedCell // the first maxUnsupported of them
	Count int               // all of them
	InAll int               // cells of the plan
}

// An UnsupportedCell is one of them.
type UnsupportedCell struct {
	Label string
	Err   error // of Estimates.Unsupported
}

// maxUnsupported is the number of cells that an UnsupportedError names.
const maxUnsupported = 50

func (e *UnsupportedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d cells cannot be trained:", e.Count, e.InAll)
	for _, c := range e.Cells {
		fmt.Fprintf(&b, "\n  %s: %v", c.Label, c.Err)
	}
	if more := e.Count - len(e.Cells); more > 0 {
		fmt.Fprintf(&b, "\n  … and %d more", more)
	}
	return b.String()
}

// Unwrap returns the error of each cell that is named.
func (e *UnsupportedError) Unwrap() []error {
	errs := make([]error, len(e.Cells))
	for i, c := range e.Cells {
		errs[i] = c.Err
	}
	return errs
}

// checkSupported returns an *UnsupportedError if est knows of cells that cannot be trained.
func (p *Plan) checkSupported(est Estimates) error {
	if est.Unsupported == nil {
		return nil
	}
	e := &UnsupportedError{InAll: len(p.Cells)}
	for _, c := range p.Cells {
		err := est.Unsupported(p.RunID(c.ID), c.Config)
		if err == nil {
			continue
		}
		e.Count++
		if len(e.Cells) < maxUnsupported {
			e.Cells = append(e.Cells, UnsupportedCell{p.Label(c), err})
		}
	}
	if e.Count == 0 {
		return nil
	}
	return e
}

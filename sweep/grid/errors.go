package grid

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// An Error is one thing that is wrong with a grid, and where.
type Error struct {
	File   string
	Line   int    // from 1
	Column int    // from 1, in characters
	Path   string // the key, as parameters.k or exclude[0].k; "" for the file as a whole
	Msg    string
}

// Error prints e as grid.yaml:12:9: parameters.k: 4096 is larger than dict_size 2048.
func (e Error) Error() string {
	at := fmt.Sprintf("%s:%d:%d: ", e.File, e.Line, e.Column)
	if e.Path != "" {
		at += e.Path + ": "
	}
	return at + e.Msg
}

// Errors is everything that is wrong with a grid, in the order of the file.
type Errors []Error

// printed bounds how many errors one message holds: a file that is wrong
// throughout should not fill the terminal.
const printed = 50

func (es Errors) Error() string {
	var b strings.Builder
	for i, e := range es {
		if i == printed {
			fmt.Fprintf(&b, "\n… and %d more", len(es)-i)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(e.Error())
	}
	return b.String()
}

// sorted returns es in the order of the file, each error once.
func (es Errors) sorted() Errors {
	slices.SortStableFunc(es, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Msg, b.Msg))
	})
	return slices.Compact(es)
}

package grid

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An Error is one error in a grid, and its position.
type Error struct {
	File   string
	Line   int    // from 1
	Column int    // from 1, in characters
	Path   string // the key, as in parameters.k or exclude[0].k; "" for the file as a whole
	Msg    string
}

// Error returns the message, as in grid.yaml:12:9: parameters.k: 4096 is larger than dict_size 2048.
func (e Error) Error() string {
	at := fmt.Sprintf("%s:%d:%d: ", e.File, e.Line, e.Column)
	if e.Path != "" {
		at += e.Path + ": "
	}
	return at + e.Msg
}

// Errors holds every error of a grid, in the order of the file.
type Errors []Error

// maxPrinted is the number of errors that one message lists. A file that is wrong in every line does not fill the
// terminal.
const maxPrinted = 50

// Error returns the messages, one a line.
func (es Errors) Error() string {
	var b strings.Builder
	for i, e := range es {
		if i == maxPrinted {
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

// sorted returns es in the order of the file, without repetitions.
func (es Errors) sorted() Errors {
	slices.SortStableFunc(es, func(a, b Error) int {
		return cmp.Or(
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Path, b.Path), cmp.Compare(a.Msg, b.Msg),
		)
	})
	return slices.Compact(es)
}

// clip makes s fit for one line of a terminal, whatever the file holds: it replaces control characters by spaces, and
// cuts s after n bytes, or a little later where a character ends.
func clip(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) <= n {
		return s
	}
	for !utf8.RuneStart(s[n]) {
		n++
	}
	return s[:n] + "…"
}

// clipLines clips each line of s, and leaves out those after the first few hundred.
func clipLines(s string) string {
	const most = 300 // a proposed section has a line for each of at most 256 data sets
	lines := strings.SplitN(s, "\n", most+1)
	for i, line := range lines[:min(most, len(lines))] {
		lines[i] = clip(line, 1000)
	}
	return strings.Join(lines[:min(most, len(lines))], "\n")
}

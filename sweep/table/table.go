// Package table holds tables of named columns. The results of sweeps, their curves, and what is made of them by
// filtering and grouping are such tables. All that prints, plots, fits or exports works on one, whether it came from a
// store or from a file.
//
// Equal tables give equal bytes in each format. What is read is somebody's input: wrong or damaged files are errors,
// and no file takes more memory than MaxBytes and MaxValues allow.
//
// Of this project the package imports sweep/spelling alone.
//
// # How to add a format
//
// Add one row to Formats, with a function that writes a table. It becomes a value of the flag -o and a file of each
// sweep. docs/results.md lists it.
package table

import "slices"

// A Kind is the type of all values of a column. A value that is not there is nil in each kind.
type Kind int

// The kinds, with the Go types of their values.
const (
	Text  Kind = iota // string
	Int               // int64
	Float             // float64, finite
	Ints              // []int64
)

// A Column describes one column of a table.
type Column struct {
	Name string // in snake case
	Kind Kind
	Unit string // "" for a pure number or text
	Doc  string // what it is, with its formula

	// Exact says that tables for people show numbers with all digits, so that two that differ never look equal:
	// settings, not measurements.
	Exact bool
}

// A Table is rows of values. Each row has one value for each column, in their order.
type Table struct {
	Columns []Column
	Rows    [][]any
}

// Index returns the index of the column with a name, or -1.
func (t *Table) Index(name string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
}

// Value returns a row's value in the column with a name: nil where it has none, or where there is no such column.
func (t *Table) Value(row int, name string) any {
	if i := t.Index(name); i >= 0 {
		return t.Rows[row][i]
	}
	return nil
}

// Number returns a row's value in the column with a name as a float64. ok is false where it is no number.
func (t *Table) Number(row int, name string) (v float64, ok bool) {
	return Number(t.Value(row, name))
}

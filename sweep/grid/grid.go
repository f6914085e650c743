package grid

import "github.com/topksweep/sweep/trainer"

// A Grid is a grid.yaml that has been read without an error.
type Grid struct {
	Name string
	Data trainer.DataSpec // where it names no sets; else without a value
	Sets []Set            // what cells train on: Data, or those of data.sets that cells may have, in file order
	Run  RunOptions
	Axes []Axis // the lists under parameters, in file order; before them the data sets, if they stand in no list

	// NormalizeInit says that models whose rows of W_dec are not at unit norm are brought to it before training begins
	// from them. It is part of no ID: what it makes of a model is.
	NormalizeInit bool

	file       string // its name, for errors
	schema     *schema
	base       []value // for each field of schema: the constant that the file gives, or the default
	groups     []group // the axes that advance together, in file order; the last group advances fastest
	exclude    []exclusion
	include    []inclusion
	parameters position // of the section parameters; errors that belong to no single key are reported there

	Preset *Preset // what the grid takes of its preset; nil: it has none
}

// An Axis is one swept key with its values as a person reads them: numbers in the shortest form, fractions as
// fractions.
type Axis struct {
	Key    string
	Values []string

	field      int            // index in schema.fields
	values     []value        // one for each of Values
	firstEqual []int          // for each value: the index of the first value that is equal to it
	indexOf    map[string]int // from the text of a value to the index of the first such value
	incomplete bool           // a value of the list could not be read
}

// A group is a set of axes that advance together: a single axis, or the axes of one zip.
type group struct {
	axes   []int // indices in Grid.Axes, ascending
	length int   // number of values that each of the axes has
}

// axisOf returns the index of the axis of a field, or -1.
func (g *Grid) axisOf(field int) int {
	for i, a := range g.Axes {
		if a.field == field {
			return i
		}
	}
	return -1
}

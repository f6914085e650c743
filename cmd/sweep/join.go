package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/table"
)

// joinFile adds the columns of a file to results, by cell. Of the columns that both have, sweep and run are not
// compared: a cell that several sweeps have is one model, and the file has one row for it. The notes tell of cells that
// the results do not have.
func joinFile(path string, t *table.Table) (notes []string, err error) {
	if !isTableFile(path) {
		return nil, inputError{fmt.Errorf("--join %s: want a file that ends with .csv, .parquet, .json or .jsonl", path)}
	}
	other, err := readTableFile(path)
	if err != nil {
		return nil, inputError{fmt.Errorf("--join: %w", err)}
	}
	out, unknown, err := t.Attach(other, "cell", "sweep", "run")
	if err == nil && unknown > 0 && unknown == len(other.Rows) {
		err = errors.New("no row is about a cell of these results; the column cell needs whole IDs")
	}
	if err != nil {
		return nil, inputError{fmt.Errorf("--join %s: %w", path, err)}
	}
	*t = out
	if unknown > 0 {
		notes = append(notes, fmt.Sprintf("%s: %d of %d rows are about cells that these results do not have: they are "+
			"left out", path, unknown, len(other.Rows)))
	}
	return notes, nil
}

// joinFiles adds the columns of the files of --join. Tables for people are without those of texts and lists, which
// would fill them.
func (o *resultsOptions) joinFiles(env *environment, t *table.Table) error {
	before := len(t.Columns)
	for _, path := range o.join {
		notes, err := joinFile(path, t)
		if err != nil {
			return err
		}
		env.note(notes...)
	}
	f, err := table.FormatOf(o.output.format.name)
	if err != nil || f.Exact || o.allColumns || len(o.columns.names) > 0 {
		return err
	}
	var keep []string
	for i, c := range t.Columns {
		if i < before || c.Kind == table.Int || c.Kind == table.Float || slices.Contains(o.asked(), c.Name) {
			keep = append(keep, c.Name)
		}
	}
	*t, err = t.Select(keep)
	return err
}

// asked lists the columns that the flags name.
func (o *resultsOptions) asked() []string {
	return slices.Concat(o.columns.names, o.groupBy, o.pivot, o.value, o.over, o.where.filter.Columns(),
		[]string{strings.TrimPrefix(o.sort, "-")})
}

package page

import (
	"math"
	"slices"
	"strconv"

	"github.com/topksweep/sweep/sweep/table"
)

// A column is one column of the joined results as the script reads it: a value for each row, or one for all.
type column struct {
	Name   string   `json:"name"`
	Kind   string   `json:"kind"` // text, number or list
	Unit   string   `json:"unit,omitempty"`
	Doc    string   `json:"doc,omitempty"`
	Words  []string `json:"words,omitempty"`  // of text: the different values; Values then holds their indices
	Values []any    `json:"values,omitempty"` // null where a row has none
	All    any      `json:"all,omitempty"`    // the value that all rows have, in place of Values
}

// maxExact is the largest integer up to which a script's numbers are exact. Larger ones are sent as text.
const maxExact = 1 << 53

// joinColumns joins tables to one, a column for each name. Columns without any value are left out, and named in empty.
// A column is that of the first table that has it; where another table has values of another kind there, all become
// text.
func joinColumns(tables []table.Table) (columns []column, empty []string, rows int) {
	empty = []string{}
	type source struct {
		table.Column
		at []int // index in each table, or -1
	}
	var all []source
	for i, t := range tables {
		rows += len(t.Rows)
		for j, c := range t.Columns {
			k := slices.IndexFunc(all, func(s source) bool { return s.Name == c.Name })
			if k < 0 {
				k = len(all)
				all = append(all, source{c, slices.Repeat([]int{-1}, len(tables))})
			}
			all[k].at[i] = j
			switch was := all[k].Kind; {
			case was == c.Kind:
			case was == table.Int && c.Kind == table.Float, was == table.Float && c.Kind == table.Int:
				all[k].Kind = table.Float
			default:
				all[k].Kind = table.Text
			}
		}
	}
	for _, s := range all {
		values := make([]any, 0, rows)
		for i, t := range tables {
			for _, row := range t.Rows {
				var v any
				if j := s.at[i]; j >= 0 && j < len(row) {
					v = row[j]
				}
				values = append(values, v)
			}
		}
		if c, ok := newColumn(s.Column, values); ok {
			columns = append(columns, c)
		} else {
			empty = append(empty, s.Name)
		}
	}
	return columns, empty, rows
}

// newColumn returns a column in its shortest form. ok is false if it has no value.
func newColumn(of table.Column, values []any) (c column, ok bool) {
	c = column{Name: of.Name, Unit: of.Unit, Doc: of.Doc}
	switch of.Kind {
	case table.Int, table.Float:
		c.Kind = "number"
	case table.Ints:
		c.Kind = "list"
	default:
		c.Kind = "text"
	}
	for _, v := range values {
		if _, is := v.([]int64); is {
			c.Kind = "list"
		}
	}
	index := map[string]int{}
	for i, v := range values {
		v = value(v, c.Kind)
		values[i] = v
		ok = ok || v != nil
		if text, is := v.(string); is && c.Kind == "text" {
			at, known := index[text]
			if !known {
				at = len(c.Words)
				index[text] = at
				c.Words = append(c.Words, text)
			}
			values[i] = at
		}
	}
	same := func(v any) bool { return v == values[0] }
	if ok && c.Kind != "list" && !slices.ContainsFunc(values, func(v any) bool { return !same(v) }) {
		c.All = values[0]
		if c.Kind == "text" {
			c.All, c.Words = c.Words[0], nil
		}
		return c, ok
	}
	c.Values = values
	return c, ok
}

// value returns a value of a table as JSON can hold it and a script reads it without a loss.
func value(v any, kind string) any {
	switch x := v.(type) {
	case int64:
		if kind == "text" || x > maxExact || x < -maxExact {
			return strconv.FormatInt(x, 10)
		}
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
		if kind == "text" {
			return strconv.FormatFloat(x, 'g', -1, 64)
		}
	case string:
		if x == "" {
			return nil
		}
		if kind == "number" { // a table of another origin does not keep to its kinds
			if _, err := strconv.ParseInt(x, 10, 64); err != nil {
				return nil
			}
		}
	case []int64:
		if kind != "list" || x == nil {
			return nil
		}
	}
	return v
}

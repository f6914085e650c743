package table

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// mostNamed is the largest number of values that a hint names.
const mostNamed = 6

// Columns lists the column of each condition.
func (f Filter) Columns() []string {
	out := make([]string, len(f))
	for i, c := range f {
		out[i] = c.column
	}
	return out
}

// Hint says why no row of a table may be in the filter, and what to ask instead; "" where it does not know. The
// conditions must be such as Rows takes.
func (f Filter) Hint(t *Table) string {
	for i, c := range f {
		for _, d := range f[:i] {
			if c.op == "=" && d.op == "=" && c.column == d.column && c.value != d.value {
				return fmt.Sprintf("all conditions have to hold, and %s has one value in a row", c.column)
			}
		}
	}
	for _, c := range f {
		if hint := c.hint(t); hint != "" {
			return hint
		}
	}
	return ""
}

// hint says what to ask instead of a condition that holds in no row: of the beginning of a text that is longer, of a
// misspelt text, of a setting that is written as a fraction.
func (c condition) hint(t *Table) string {
	i := t.Index(c.column)
	if c.op != "=" || c.value == "" || i < 0 {
		return ""
	}
	if written := c.column + "_written"; t.Columns[i].Kind == Int && t.Index(written) >= 0 {
		if x, err := strconv.ParseFloat(c.value, 64); err == nil && x != math.Trunc(x) {
			return fmt.Sprintf("%s holds integers; %s has it as the grid does", c.column, written)
		}
	}
	if t.Columns[i].Kind != Text {
		return ""
	}
	var values []string
	begins := false
	for _, row := range t.Rows {
		v, ok := row[i].(string)
		switch {
		case v == c.value:
			return ""
		case ok && !slices.Contains(values, v) && len(values) <= mostNamed:
			values = append(values, v)
		}
		begins = begins || strings.HasPrefix(v, c.value)
	}
	switch {
	case begins:
		return fmt.Sprintf("%s^=%s finds the texts that begin so", c.column, c.value)
	case len(values) == 0:
		return fmt.Sprintf("no row has a value of %s", c.column)
	case len(values) <= mostNamed:
		for j, v := range values {
			values[j] = oneLine(v)
		}
		return fmt.Sprintf("the values of %s are %s", c.column, strings.Join(values, ", "))
	}
	return ""
}

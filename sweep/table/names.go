package table

import (
	"fmt"
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/spelling"
)

// names lists the columns in order.
func (t *Table) names() []string {
	out := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		out[i] = c.Name
	}
	return out
}

// find returns the index of the column with a name. The error suggests a name that is spelled alike.
func (t *Table) find(name string) (int, error) {
	if i := t.Index(name); i >= 0 {
		return i, nil
	}
	return -1, fmt.Errorf("no column %q; %s", name, suggest(name, t.names()))
}

// suggest returns what to write instead of a name that is not known.
func suggest(name string, known []string) string {
	simple := spelling.Simplify(name)
	var inside []string
	for _, k := range known {
		if spelling.Simplify(k) == simple {
			return fmt.Sprintf("did you mean %s?", k)
		}
		if len(simple) > 2 && strings.Contains(spelling.Simplify(k), simple) {
			inside = append(inside, k)
		}
	}
	best := spelling.Nearest(name, known)
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %s?", best)
	case len(inside) > 0:
		return fmt.Sprintf("did you mean %s?", strings.Join(inside, " or "))
	}
	if len(known) == 0 {
		return "there is none"
	}
	return "there are " + strings.Join(known, ", ")
}

// Select returns a table of some columns in the order of the names. It shares no row with t.
func (t *Table) Select(names []string) (Table, error) {
	var at []int
	for _, name := range names {
		i, err := t.find(name)
		if err != nil {
			return Table{}, err
		}
		if slices.Contains(at, i) {
			return Table{}, fmt.Errorf("column %s is named twice", name)
		}
		at = append(at, i)
	}
	out := Table{Columns: make([]Column, len(at)), Rows: make([][]any, len(t.Rows))}
	for j, i := range at {
		out.Columns[j] = t.Columns[i]
	}
	for r, row := range t.Rows {
		out.Rows[r] = make([]any, len(at))
		for j, i := range at {
			out.Rows[r][j] = row[i]
		}
	}
	return out, nil
}

// Pick returns a table of some rows, in the order of their indices.
func (t *Table) Pick(rows []int) Table {
	out := Table{Columns: t.Columns, Rows: make([][]any, len(rows))}
	for i, r := range rows {
		out.Rows[i] = t.Rows[r]
	}
	return out
}

// Join returns the rows of several tables as one table. It has the columns of all: those of the first, and then those
// that only later tables have. A value that a table has no column for is nil. Where a column has integers in one table
// and numbers in another, it has numbers in all. The error names a column whose kinds do not go together.
func Join(tables ...Table) (Table, error) {
	var out Table
	for n, t := range tables {
		for _, c := range t.Columns {
			i := out.Index(c.Name)
			if i < 0 {
				out.Columns = append(out.Columns, c)
				continue
			}
			have := &out.Columns[i]
			switch {
			case have.Kind == c.Kind, have.Kind == Float && c.Kind == Int:
			case have.Kind == Int && c.Kind == Float:
				have.Kind = Float
			case !t.hasValue(c.Name):
			case !slices.ContainsFunc(tables[:n], func(t Table) bool { return t.hasValue(c.Name) }):
				have.Kind = c.Kind
			default:
				return Table{}, fmt.Errorf("column %s holds %s in one table and %s in another", c.Name, have.Kind, c.Kind)
			}
		}
	}
	for _, t := range tables {
		from := make([]int, len(out.Columns)) // the index of each column in t, or -1
		for j, c := range out.Columns {
			from[j] = t.Index(c.Name)
		}
		for _, row := range t.Rows {
			line := make([]any, len(out.Columns))
			for j, c := range out.Columns {
				if i := from[j]; i >= 0 {
					line[j] = convert(row[i], c.Kind)
				}
			}
			out.Rows = append(out.Rows, line)
		}
	}
	return out, nil
}

// Conform makes the values of columns that are known to hold text texts: an ID of digits alone is a number in JSON. The
// error names a column that holds lists and is known to hold none.
func (t *Table) Conform(known []Column) error {
	for j, c := range t.Columns {
		i := slices.IndexFunc(known, func(k Column) bool { return k.Name == c.Name })
		switch {
		case i < 0 || known[i].Kind == c.Kind:
		case c.Kind == Ints && t.hasValue(c.Name):
			return fmt.Errorf("column %s holds %s, want %s", c.Name, c.Kind, known[i].Kind)
		case known[i].Kind == Text || c.Kind == Ints:
			for _, row := range t.Rows {
				if row[j] != nil {
					row[j] = Print(row[j])
				}
			}
			t.Columns[j] = known[i]
		}
	}
	return nil
}

// convert returns an integer as a number where the kind is Float, and any other value as it is.
func convert(v any, kind Kind) any {
	if x, ok := v.(int64); ok && kind == Float {
		return float64(x)
	}
	return v
}

func (t *Table) hasValue(column string) bool {
	i := t.Index(column)
	return i >= 0 && slices.ContainsFunc(t.Rows, func(row []any) bool { return row[i] != nil })
}

func (k Kind) String() string {
	return [...]string{"text", "integers", "numbers", "lists of integers"}[k]
}

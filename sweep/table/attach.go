package table

import (
	"fmt"
	"slices"
)

// Attach returns a table with the columns of another behind its own, where a row of the other belongs to each row with
// the same value in the column key. Rows that the other has nothing of have no values there. A column that both have
// stays as it is in t: the other must have the same values there, or none; those in ignored are not looked at, and
// neither is a column without a name, as pandas writes an index. unknown counts the rows of the other that belong to no
// row of t.
//
// The error tells of a table without the column key, of rows of the other without a key or with the same one, of values
// that differ, and of another that has no further column. Rows are counted from 1.
func (t *Table) Attach(other Table, key string, ignored ...string) (out Table, unknown int, err error) {
	at, err := t.find(key)
	if err != nil {
		return Table{}, 0, err
	}
	theirs, err := other.find(key)
	if err != nil {
		return Table{}, 0, fmt.Errorf("what is joined has %w", err)
	}
	rows := map[any]int{}
	for i, row := range other.Rows {
		id := keyOf(row[theirs])
		if id == nil {
			return Table{}, 0, fmt.Errorf("row %d has no %s", i+1, key)
		}
		if first, twice := rows[id]; twice {
			return Table{}, 0, fmt.Errorf("rows %d and %d have the same %s, %v", first+1, i+1, key, id)
		}
		rows[id] = i
	}
	var both, further []int // columns of the other
	for j, c := range other.Columns {
		switch {
		case j == theirs || c.Name == "" || slices.Contains(ignored, c.Name):
		case t.Index(c.Name) >= 0:
			both = append(both, j)
		default:
			further = append(further, j)
		}
	}
	if len(further) == 0 {
		return Table{}, 0, fmt.Errorf("what is joined has no column that is not there already")
	}
	out = Table{Columns: slices.Clone(t.Columns), Rows: make([][]any, len(t.Rows))}
	for _, j := range further {
		out.Columns = append(out.Columns, other.Columns[j])
	}
	used := map[int]bool{}
	for r, row := range t.Rows {
		line := append(slices.Clone(row), make([]any, len(further))...)
		out.Rows[r] = line
		i, ok := rows[keyOf(row[at])]
		if !ok {
			continue
		}
		used[i] = true
		if err := t.checkEqual(r, &other, i, both, key); err != nil {
			return Table{}, 0, err
		}
		for n, j := range further {
			line[len(row)+n] = other.Rows[i][j]
		}
	}
	return out, len(other.Rows) - len(used), nil
}

// checkEqual refuses a row of another table whose values differ from those of t in columns that both have.
func (t *Table) checkEqual(row int, other *Table, i int, columns []int, key string) error {
	for _, j := range columns {
		name := other.Columns[j].Name
		mine, theirs := t.Value(row, name), other.Rows[i][j]
		if theirs == nil || Equal(mine, theirs) {
			continue
		}
		have := "no value"
		if mine != nil {
			have = oneLine(Print(mine))
		}
		return fmt.Errorf("column %s is there already, with another value: of %s %s it is %s, and %s in row %d of what is "+
			"joined: rename the column", name, key, oneLine(Print(t.Value(row, key))), have, oneLine(Print(theirs)), i+1)
	}
	return nil
}

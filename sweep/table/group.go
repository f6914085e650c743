package table

import (
	"fmt"
	"slices"
	"strings"
)

// A Grouping says what a group of rows, of which a mean is taken, has in common. A row without an ID is about something
// of its own.
type Grouping struct {
	ID   string   // the column that names what a row is about: of rows with one ID, the first with a value counts
	Keys []string // the columns in which rows of one group may not differ, but for those in Over and those grouped by
	Over []string // the columns over which means are taken: in these they may

	// Alike are more columns in which rows of one group may not differ. A row without a value, as one without a result
	// is, goes with any.
	Alike []string
}

// A MixedError tells of rows in one group that differ in more than what the mean is taken over.
type MixedError struct {
	Group []string // as in k=8
	Rows  int
	Keys  []string // in which they differ
}

func (e *MixedError) Error() string {
	return fmt.Sprintf("%d rows with %s differ in %s", e.Rows, strings.Join(e.Group, ", "), strings.Join(e.Keys, ", "))
}

// Group returns a row for each combination of values of some columns, in ascending order. It has the columns that are
// grouped by, the number of rows (runs), and for each of the given columns its mean, its standard deviation (n − 1
// below the line) and the number of values: nmse_mean, nmse_std, nmse_n. The error is a *MixedError, or names a column
// that there is not or that holds no numbers.
func (t *Table) Group(by, columns []string, g Grouping) (Table, error) {
	groups, at, err := t.groups(by, g)
	if err != nil {
		return Table{}, err
	}
	out := Table{}
	for _, i := range at {
		out.Columns = append(out.Columns, t.Columns[i])
	}
	out.Columns = append(out.Columns, Column{Name: "runs", Kind: Int, Doc: "number of runs", Exact: true})
	var measured []int
	for _, name := range columns {
		i, err := t.findNumbers(name)
		if err != nil {
			return Table{}, err
		}
		measured = append(measured, i)
		c := t.Columns[i]
		out.Columns = append(out.Columns,
			Column{Name: name + "_mean", Kind: Float, Unit: c.Unit, Doc: "mean over the runs: " + c.Doc},
			Column{Name: name + "_std", Kind: Float, Unit: c.Unit, Doc: "standard deviation, with n − 1 below the line"},
			Column{Name: name + "_n", Kind: Int, Doc: "number of runs with a value"})
	}
	for i, name := range out.names() {
		if slices.Contains(out.names()[:i], name) {
			return Table{}, fmt.Errorf("two columns would be named %s", name)
		}
	}
	for _, rows := range groups {
		var line []any
		for _, i := range at {
			line = append(line, t.Rows[rows[0]][i])
		}
		line = append(line, int64(t.distinct(rows, g.ID)))
		for _, i := range measured {
			values := t.values(rows, i, g.ID)
			mean, std := meanStd(values)
			line = append(line, mean, std, int64(len(values)))
		}
		out.Rows = append(out.Rows, line)
	}
	return out, nil
}

// Pivot returns a row for each value of a column and a column for each value of another, in ascending order. It holds
// the values of a third, the mean of those where there are several. most is the largest number of values in a mean.
// The error is that of Group.
func (t *Table) Pivot(row, column, value string, g Grouping) (out Table, most int, err error) {
	if row == column {
		return out, 0, fmt.Errorf("%s is given for rows and for columns", row)
	}
	groups, at, err := t.groups([]string{row, column}, g)
	if err != nil {
		return out, 0, err
	}
	measured, err := t.findNumbers(value)
	if err != nil {
		return out, 0, err
	}
	var heads []any
	for _, rows := range groups {
		heads = append(heads, t.Rows[rows[0]][at[1]])
	}
	slices.SortFunc(heads, order)
	heads = slices.CompactFunc(heads, Equal)
	out.Columns = []Column{t.Columns[at[0]]}
	for _, h := range heads {
		c := t.Columns[measured]
		c.Name, c.Kind, c.Exact = column+"="+head(h), Float, false
		c.Doc = fmt.Sprintf("%s where %s: %s", value, c.Name, c.Doc)
		out.Columns = append(out.Columns, c)
	}
	for _, rows := range groups {
		v := t.Rows[rows[0]][at[0]]
		if n := len(out.Rows); n == 0 || order(out.Rows[n-1][0], v) != 0 {
			line := make([]any, len(out.Columns))
			line[0] = v
			out.Rows = append(out.Rows, line)
		}
		j, _ := slices.BinarySearchFunc(heads, t.Rows[rows[0]][at[1]], order)
		values := t.values(rows, measured, g.ID)
		most = max(most, len(values))
		out.Rows[len(out.Rows)-1][1+j], _ = meanStd(values)
	}
	return out, most, nil
}

// head prints a value for the name of a column. As in a Filter, there is nothing behind the = where there is no value.
func head(v any) string {
	if v == "" {
		return `""`
	}
	return Print(v)
}

// groups returns the indices of the rows of each group, in ascending order of the values that are grouped by, and the
// indices of the columns of these.
func (t *Table) groups(by []string, g Grouping) (groups [][]int, at []int, err error) {
	if len(t.Rows) > 0 && len(by) == 0 {
		return nil, nil, fmt.Errorf("no column to group by")
	}
	for i, name := range by {
		j, err := t.find(name)
		if err != nil {
			return nil, nil, err
		}
		if slices.Contains(by[:i], name) {
			return nil, nil, fmt.Errorf("column %s is named twice", name)
		}
		at = append(at, j)
	}
	rows := make([]int, len(t.Rows))
	for i := range rows {
		rows[i] = i
	}
	byKeys := func(a, b int) int {
		for _, j := range at {
			if c := order(t.Rows[a][j], t.Rows[b][j]); c != 0 {
				return c
			}
		}
		return 0
	}
	slices.SortStableFunc(rows, byKeys)
	for i, r := range rows {
		if i == 0 || byKeys(rows[i-1], r) != 0 {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], r)
	}
	for _, rows := range groups {
		if keys := t.differing(rows, by, g); len(keys) > 0 {
			e := &MixedError{Rows: len(rows), Keys: keys}
			for k, j := range at {
				e.Group = append(e.Group, by[k]+"="+Print(t.Rows[rows[0]][j]))
			}
			return nil, nil, e
		}
	}
	return groups, at, nil
}

// differing lists the keys in which rows of a group differ though they may not.
func (t *Table) differing(rows []int, by []string, g Grouping) (keys []string) {
	for n, key := range slices.Concat(g.Keys, g.Alike) {
		i := t.Index(key)
		if i < 0 || slices.Contains(by, key) || slices.Contains(g.Over, key) {
			continue
		}
		first := t.Rows[rows[0]][i]
		differs := func(r int) bool {
			v := t.Rows[r][i]
			if n < len(g.Keys) {
				return !Equal(v, first)
			}
			if first == nil {
				first = v
			}
			return v != nil && !Equal(v, first)
		}
		if slices.ContainsFunc(rows, differs) {
			keys = append(keys, key)
		}
	}
	return keys
}

// order compares two values, of which nil is the last.
func order(a, b any) int {
	if a == nil || b == nil {
		return lastIfNil(a) - lastIfNil(b)
	}
	return compare(a, b)
}

// findNumbers returns the index of a column of numbers.
func (t *Table) findNumbers(name string) (int, error) {
	i, err := t.find(name)
	if err == nil && t.Columns[i].Kind != Int && t.Columns[i].Kind != Float {
		return -1, fmt.Errorf("column %s holds %s, which have no mean", name, t.Columns[i].Kind)
	}
	return i, err
}

// keyOf returns a value as a key of a map, which a list cannot be.
func keyOf(v any) any {
	if list, ok := v.([]int64); ok {
		return Print(list)
	}
	return v
}

// distinct counts the IDs of rows. A row without an ID counts as one of its own.
func (t *Table) distinct(rows []int, id string) int {
	isFirst := t.firsts(id)
	n := 0
	for _, r := range rows {
		if isFirst(r) {
			n++
		}
	}
	return n
}

// firsts returns a function that reports whether a row has another ID than all rows that it was asked about before, or
// none.
func (t *Table) firsts(id string) func(row int) bool {
	i := t.Index(id)
	seen := map[any]bool{}
	return func(row int) bool {
		if i < 0 || t.Rows[row][i] == nil {
			return true
		}
		key := keyOf(t.Rows[row][i])
		isFirst := !seen[key]
		seen[key] = true
		return isFirst
	}
}

// values returns the numbers of rows in a column, one for each ID and each row without an ID.
func (t *Table) values(rows []int, column int, id string) (out []float64) {
	isFirst := t.firsts(id)
	for _, r := range rows {
		if v, ok := Number(t.Rows[r][column]); ok && finite(v) != nil && isFirst(r) {
			out = append(out, v)
		}
	}
	return out
}

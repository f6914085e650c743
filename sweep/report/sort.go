package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/ledger"
)

// Sort sorts the rows by a column, in descending order if its name has a minus before it. Rows without a value come
// last. Rows with equal values keep their order.
func (rows Rows) Sort(column string) error {
	name, descending := strings.CutPrefix(column, "-")
	columns := Columns()
	i := slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		var names []string
		for _, c := range columns {
			names = append(names, c.Name)
		}
		return fmt.Errorf("no column %s; there are %s", name, strings.Join(names, ", "))
	}
	get := columns[i].get
	slices.SortStableFunc(rows.Results, func(a, b ledger.Result) int {
		x, y := get(a), get(b)
		switch {
		case isMissing(x) && isMissing(y):
			return 0
		case isMissing(x):
			return 1
		case isMissing(y):
			return -1
		case descending:
			return compare(y, x)
		}
		return compare(x, y)
	})
	return nil
}

// compare compares two values of one column.
func compare(a, b any) int {
	switch x := a.(type) {
	case int64:
		return cmp.Compare(x, b.(int64))
	case float64:
		return cmp.Compare(x, b.(float64))
	}
	return cmp.Compare(a.(string), b.(string))
}

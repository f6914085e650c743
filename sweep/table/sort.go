package table

import (
	"cmp"
	"slices"
	"strings"
)

// Order returns the indices of the rows sorted by a column, in descending order if its name has a minus before it. Rows
// without a value come last. Rows with equal values keep their order. The error suggests a name.
func (t *Table) Order(column string) ([]int, error) {
	name, descending := strings.CutPrefix(column, "-")
	i, err := t.find(name)
	if err != nil {
		return nil, err
	}
	out := make([]int, len(t.Rows))
	for r := range out {
		out[r] = r
	}
	slices.SortStableFunc(out, func(a, b int) int {
		x, y := finite(t.Rows[a][i]), finite(t.Rows[b][i])
		switch {
		case x == nil || y == nil:
			return cmp.Compare(lastIfNil(x), lastIfNil(y))
		case descending:
			return compare(y, x)
		}
		return compare(x, y)
	})
	return out, nil
}

// Equal reports whether two values are the same: also lists, which == cannot compare.
func Equal(a, b any) bool { return order(a, b) == 0 }

func lastIfNil(v any) int {
	if v == nil {
		return 1
	}
	return 0
}

// compare compares two values, neither of them nil. Numbers come before texts, and texts before lists.
func compare(a, b any) int {
	switch x := a.(type) {
	case int64:
		switch y := b.(type) {
		case int64:
			return cmp.Compare(x, y)
		case float64:
			return cmp.Compare(float64(x), y)
		}
	case float64:
		switch y := b.(type) {
		case int64:
			return cmp.Compare(x, float64(y))
		case float64:
			return cmp.Compare(x, y)
		}
	case string:
		if y, ok := b.(string); ok {
			return cmp.Compare(x, y)
		}
	case []int64:
		if y, ok := b.([]int64); ok {
			return slices.Compare(x, y)
		}
	}
	return cmp.Compare(rank(a), rank(b))
}

func rank(v any) int {
	switch v.(type) {
	case int64, float64:
		return 0
	case string:
		return 1
	}
	return 2
}

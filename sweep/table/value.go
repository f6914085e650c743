package table

import (
	"math"
	"strconv"
	"strings"
)

// Print prints a value so that it reads back as the same value: a number with the fewest digits that do, a list as
// [1,2,3]. A value that is not there is "".
func Print(v any) string {
	switch x := v.(type) {
	case int64:
		return strconv.FormatInt(x, 10)
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return ""
		}
		return strconv.FormatFloat(x, 'g', -1, 64)
	case string:
		return x
	case []int64:
		items := make([]string, len(x))
		for i, n := range x {
			items[i] = strconv.FormatInt(n, 10)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	return ""
}

// Number returns a value as a float64. ok is false if it is no number.
func Number(v any) (x float64, ok bool) {
	switch x := v.(type) {
	case int64:
		return float64(x), true
	case float64:
		return x, true
	}
	return 0, false
}

// finite returns nil for a number that no format can hold, and any other value as it is.
func finite(v any) any {
	if x, ok := v.(float64); ok && (math.IsNaN(x) || math.IsInf(x, 0)) {
		return nil
	}
	return v
}

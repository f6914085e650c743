package report

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/topksweep/sweep/sweep/ledger"
)

// exact prints a value so that it reads back as itself; "" for one that is not
// there.
func exact(v any) string {
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
	}
	return ""
}

const (
	blank     = "–"
	idDigits  = 10 // of a cell's ID in a table
	maxWords  = 72 // characters of an error in a table
	maxDigits = 6  // after the point
)

// tableCells prints a column for a table. Measured numbers have one number of
// decimals throughout the column: at least four digits of the largest and three
// of the smallest, as far as six decimals go.
func tableCells(c Column, results []ledger.Result) []string {
	out := make([]string, len(results))
	decimals, fixed := decimalsOf(c, results)
	for i, r := range results {
		v := c.get(r)
		if absent(v) {
			out[i] = blank
			continue
		}
		switch x := v.(type) {
		case float64:
			switch {
			case c.in == setting:
				out[i] = strconv.FormatFloat(x, 'g', 6, 64)
			case fixed:
				out[i] = strconv.FormatFloat(x, 'f', decimals, 64)
			default:
				out[i] = strconv.FormatFloat(x, 'g', 4, 64)
			}
		case string:
			out[i] = clip(c, x)
		default:
			out[i] = exact(v)
		}
	}
	return out
}

// decimalsOf returns the digits after the point for a column, or false if its
// numbers are too far apart for that.
func decimalsOf(c Column, results []ledger.Result) (int, bool) {
	least, most := math.Inf(1), 0.0
	for _, r := range results {
		if x, ok := c.get(r).(float64); ok && x != 0 && !absent(x) {
			least, most = min(least, math.Abs(x)), max(most, math.Abs(x))
		}
	}
	if most == 0 {
		return 0, true
	}
	if most >= 1e7 || most < 1e-4 {
		return 0, false
	}
	decimals := 3 - int(math.Floor(math.Log10(most)))
	decimals = max(decimals, 2-int(math.Floor(math.Log10(least))))
	return min(max(decimals, 0), maxDigits), true
}

// clip brings words onto one line of bearable length.
func clip(c Column, s string) string {
	if c.in == id {
		return s[:min(len(s), idDigits)]
	}
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > maxWords {
		s = string([]rune(s)[:maxWords-1]) + "…"
	}
	return s
}

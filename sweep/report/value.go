package report

import (
	"math"
	"strconv"

	"github.com/topksweep/sweep/sweep/ledger"
)

// isMissing reports whether a value cannot be written: there is none, or it is not a finite number.
func isMissing(v any) bool {
	x, ok := v.(float64)
	return v == nil || ok && (math.IsNaN(x) || math.IsInf(x, 0))
}

// formatExact prints a value so that it reads back as the same value. A missing value is "".
func formatExact(v any) string {
	if isMissing(v) {
		return ""
	}
	switch x := v.(type) {
	case int64:
		return strconv.FormatInt(x, 10)
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	case string:
		return x
	}
	return ""
}

const (
	missingText = "–" // a missing value in a table
	idLength    = 10  // characters of a cell's ID in a table
	maxDecimals = 6   // digits after the point in a table
)

// formatColumn prints a column for a table, one text for each result. Measured numbers of a column have the same number
// of decimals, so that their points are below each other:
//
//	0.9, 0.00012        0.900000, 0.000120
//	123.4567, 9.87654   123.46, 9.88
//	1e9, 1              1e+09, 1: too far apart for a fixed number of decimals
func formatColumn(c Column, results []ledger.Result) []string {
	out := make([]string, len(results))
	decimals, fixed := decimalsOf(c, results)
	for i, r := range results {
		v := c.get(r)
		if isMissing(v) {
			out[i] = missingText
			continue
		}
		switch x := v.(type) {
		case float64:
			switch {
			case c.group == groupSetting: // in full: two settings that differ never look equal
				out[i] = formatExact(x)
			case fixed:
				out[i] = strconv.FormatFloat(x, 'f', decimals, 64)
			default:
				out[i] = strconv.FormatFloat(x, 'g', 4, 64)
			}
		case string:
			out[i] = textOf(c, x)
		default:
			out[i] = formatExact(v)
		}
	}
	return out
}

// decimalsOf returns the number of decimals with which the largest number of a column has at least four digits and the
// smallest at least three, but at most maxDecimals. fixed is false if the largest is so large or so small that the
// numbers need an exponent.
func decimalsOf(c Column, results []ledger.Result) (decimals int, fixed bool) {
	smallest, largest := math.Inf(1), 0.0
	for _, r := range results {
		if x, ok := c.get(r).(float64); ok && x != 0 && !isMissing(x) {
			smallest, largest = min(smallest, math.Abs(x)), max(largest, math.Abs(x))
		}
	}
	if largest == 0 {
		return 0, true
	}
	if largest >= 1e7 || largest < 1e-4 {
		return 0, false
	}
	decimals = 3 - int(math.Floor(math.Log10(largest)))
	decimals = max(decimals, 2-int(math.Floor(math.Log10(smallest))))
	return min(max(decimals, 0), maxDecimals), true
}

// textOf prints a text in one line of a table.
func textOf(c Column, s string) string {
	switch {
	case c.group == groupID:
		return shortID(s)
	case c.group == groupRun:
		return Cause(s)
	}
	return OneLine(s)
}

// shortID is a cell's ID as tables have it.
func shortID(id string) string { return id[:min(len(id), idLength)] }

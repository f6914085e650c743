package workflows

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"
)

// maxDecimals is the number of digits after the point, as in tables of results.
const maxDecimals = 6

// decimals prints the numbers of a column as tables of results do: with one number of decimals, so that the largest has
// four digits at least and the smallest three, but at most maxDecimals decimals. Numbers that are very large, or all
// very small, have an exponent. A number that is not there, or not finite, is "".
func decimals(column []*float64) []string {
	smallest, largest := math.Inf(1), 0.0
	for _, x := range column {
		if isNumber(x) && *x != 0 {
			smallest, largest = min(smallest, math.Abs(*x)), max(largest, math.Abs(*x))
		}
	}
	format, digits := byte('f'), 0
	switch {
	case largest >= 1e7 || largest > 0 && largest < 1e-4:
		format, digits = 'g', 4
	case largest > 0:
		digits = max(3-int(math.Floor(math.Log10(largest))), 2-int(math.Floor(math.Log10(smallest))))
		digits = min(max(digits, 0), maxDecimals)
	}
	out := make([]string, len(column))
	for i, x := range column {
		if isNumber(x) {
			out[i] = strconv.FormatFloat(*x, format, digits, 64)
		}
	}
	return out
}

func isNumber(x *float64) bool { return x != nil && !math.IsNaN(*x) && !math.IsInf(*x, 0) }

// count prints a whole number with commas between thousands.
func count[T int | int64](n T) string { return humanize.Comma(int64(n)) }

// percent prints a share, as (12%), and "" if there is no whole. Only all is 100%.
func percent(part, whole int64) string {
	if whole <= 0 || part < 0 {
		return ""
	}
	share := math.Floor(100 * float64(part) / float64(whole))
	if part < whole {
		share = min(share, 99)
	}
	return fmt.Sprintf("(%.0f%%)", min(share, 100))
}

// timeLeft prints how long so many steps take, as 3:20 or 1:03:20. It is "" where the rate says nothing.
func timeLeft(steps int64, perSecond float64) string {
	seconds := float64(steps) / perSecond
	if !(perSecond > 0) || !(seconds >= 0 && seconds < 1000*24*3600) {
		return ""
	}
	d := time.Duration(math.Ceil(seconds)) * time.Second
	if d < time.Hour {
		return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}

// clock prints a time of the day in UTC, with its date if that is another one than of now.
func clock(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	if !now.IsZero() && t.Format(time.DateOnly) != now.Format(time.DateOnly) {
		return t.Format("2006-01-02 15:04:05")
	}
	return t.Format(time.TimeOnly)
}

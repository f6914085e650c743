package figures

import (
	"math"
	"strconv"
	"strings"
)

// plain writes a number in the shortest way: 0.05, 300, 1e-6, 2e12.
func plain(v float64) string {
	if a := math.Abs(v); a == 0 {
		return "0" // also for -0
	} else if a >= 1e-4 && a < 1e6 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	s := strconv.FormatFloat(v, 'e', -1, 64)
	s = strings.Replace(s, "e+0", "e", 1)
	s = strings.Replace(s, "e-0", "e-", 1)
	return strings.Replace(s, "e+", "e", 1)
}

// rounded is plain with three significant digits.
func rounded(v float64) string {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if err != nil { // out of range after rounding up
		r = v
	}
	return plain(r)
}

// size writes a k or a dict_size: 512, 2048, and from 16,384 on multiples of 1,024 as 16k and of 1,048,576 as 1M. What
// is no whole number below ten million is rounded.
func size(v float64) string {
	switch {
	case v >= 1<<20 && math.Mod(v, 1<<20) == 0 && v < 1<<40:
		return plain(v/(1<<20)) + "M"
	case v >= 16<<10 && math.Mod(v, 1<<10) == 0 && v < 1<<30:
		return plain(v/(1<<10)) + "k"
	case v != math.Trunc(v) || v >= 1e7:
		return rounded(v)
	}
	return plain(v)
}

// A prefix is a unit that an axis is labelled in.
type prefix struct {
	name  string
	value float64
}

// prefixOf returns the largest unit of a list, ascending, that a value is at least one of; else the first.
func prefixOf(v float64, of []prefix) prefix {
	out := of[0]
	for _, p := range of {
		if v >= p.value {
			out = p
		}
	}
	return out
}

func tokenUnits() []prefix {
	return []prefix{{"number", 1}, {"thousands", 1e3}, {"millions", 1e6}, {"billions", 1e9}}
}

func flopUnits() []prefix {
	return []prefix{
		{"FLOP", 1}, {"kFLOP", 1e3}, {"MFLOP", 1e6}, {"GFLOP", 1e9}, {"TFLOP", 1e12}, {"PFLOP", 1e15}, {"EFLOP", 1e18},
		{"ZFLOP", 1e21},
	}
}

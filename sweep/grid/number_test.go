package grid

import (
	"math"
	"strings"
	"testing"
)

func TestParseInt(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
		err  string
	}{
		{"0", 0, ""}, {"-3", -3, ""}, {"+3", 3, ""}, {"10_000_000", 10_000_000, ""}, {"1e7", 10_000_000, ""},
		{"1.5E3", 1500, ""}, {"9223372036854775807", math.MaxInt64, ""},
		{"9007199254740993", 9007199254740993, ""}, {"16.0", 16, ""},
		{"9223372036854775808", 0, "too large"}, {"1e16", 0, "too large"}, {"1e400", 0, "not a finite"},
		{"1.5", 0, "not a whole"}, {"1e-1", 0, "not a whole"},
		{"010", 0, "leading zero: write 10"}, {"-007", 0, "leading zero"},
		{"", 0, "not a number"}, {"0x10", 0, "not a number"}, {"1__0", 0, "not a number"},
		{"_1", 0, "not a number"}, {"1_", 0, "not a number"}, {"1e", 0, "not a number"},
		{"1,000", 0, "not a number"}, {"--1", 0, "not a number"}, {"ten", 0, "not a number"},
		{"1_e3", 0, "not a number"},
		{".inf", 0, "not a finite"}, {"NaN", 0, "not a finite"}, {"-Infinity", 0, "not a finite"},
	} {
		got, err := parseInt(c.text)
		if c.err == "" && (err != nil || got != c.want) ||
			c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%q: %d, %v; want %d, %q", c.text, got, err, c.want, c.err)
		}
	}
}

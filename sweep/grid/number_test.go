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
		{"9007199254740993", 9007199254740993, ""}, {"16.0", 16, ""}, {"16.", 16, ""},
		{"9007199254740993.0", 9007199254740993, ""}, {"9007199254740993e0", 9007199254740993, ""},
		{"900_719_925_474_099.3E+1", 9007199254740993, ""}, {"1e16", 1e16, ""}, {".16e2", 16, ""},
		{"9.223372036854775807e18", math.MaxInt64, ""}, {"9.223372036854775808e18", 0, "too large"},
		{"9007199254740993.5", 0, "not a whole"}, {"0e999999999", 0, ""}, {"-0", 0, ""}, {"1e-400", 0, "too close"},
		{"9223372036854775808", 0, "too large"}, {"1e19", 0, "too large"}, {"1e400", 0, "not a finite"},
		{"1.5", 0, "not a whole"}, {"1e-1", 0, "not a whole"},
		{"010", 0, "leading zero: write 10"}, {"-007", 0, "leading zero: write -7"}, {"00", 0, "leading zero: write 0"},
		{"00.5", 0, "leading zero: write 0.5"},
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

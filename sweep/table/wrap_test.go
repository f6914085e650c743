package table

import (
	"strings"
	"testing"
)

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		columns int
		parts   []string
		want    string
	}{
		{0, []string{"a b", strings.Repeat("x", 300)}, "a b  " + strings.Repeat("x", 300) + "\n"},
		{12, []string{"k 8", "lr 1", "nmse 0.2"}, "k 8  lr 1\n  nmse 0.2\n"},
		{12, []string{"k 8", "lr 1", "l0 2 "}, "k 8  lr 1\n  l0 2\n"},
		{12, []string{"id", "the loss is NaN: lower lr?"}, "id  the loss\n  is NaN:\n  lower lr?\n"},
		{12, []string{"at", "/a/path/of/many/folders x"}, "at\n/a/path/of/many/folders\n  x\n"},
		{12, []string{"at", "/path/of/xx"}, "at\n/path/of/xx\n"},
		{10, []string{"日本語", "日本", "ab"}, "日本語\n  日本  ab\n"},
		{10, []string{"ééééé", "ééé"}, "ééééé  ééé\n"},
	} {
		if got := Wrap(c.columns, "", "  ", c.parts...); got != c.want {
			t.Errorf("%d %q: got\n%swant\n%s", c.columns, c.parts, got, c.want)
		}
	}
}

// A line that fits stays as it is.
func TestFold(t *testing.T) {
	const text = "  data         12 rows of 384, 3 held out\n\n" +
		"demo-1  completed  12/12  2026-11-27 15:46\n" +
		"  warning: steps are few for so large a model\nan unfinished line"
	for _, c := range []struct {
		columns int
		want    string
	}{
		{0, text},
		{45, text},
		{30, "  data         12 rows of 384,\n               3 held out\n\n" +
			"demo-1  completed  12/12\n        2026-11-27 15:46\n" +
			"  warning: steps are few for\n      so large a model\nan unfinished line"},
	} {
		if got := Fold(text, c.columns); got != c.want {
			t.Errorf("%d: got\n%swant\n%s", c.columns, got, c.want)
		}
	}
}

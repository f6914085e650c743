package table

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func fitted(t *testing.T, in Table, s Screen) string {
	t.Helper()
	f := in.Fit(s)
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// pathsAndNumbers has a text of 40 columns, a column with one value and numbers.
func pathsAndNumbers() Table {
	t := Table{Columns: []Column{
		{Name: "k", Kind: Int}, {Name: "path", Kind: Text}, {Name: "steps", Kind: Int}, {Name: "nmse", Kind: Float},
		{Name: "l0", Kind: Float},
	}}
	for i := range 3 {
		path := strings.Repeat("folder/", 5) + fmt.Sprintf("end %d", i)
		t.Rows = append(t.Rows, []any{int64(i), path, int64(600), 0.25 + float64(i), 16.5})
	}
	t.Rows[2][3] = nil
	return t
}

// Each step is taken only where those before it are not enough.
func TestFit(t *testing.T) {
	in := pathsAndNumbers()
	screen := Screen{All: "all rows", Leave: []string{"k", "steps", "nmse", "nothing"}}
	const whole = "/folder/end 0"
	for _, c := range []struct {
		width             int
		has, hasNot, left string
	}{
		{200, "all rows: steps 600  l0 16.50\n\n k  path", "…", ""},
		{53, "folder/folder/folder/folder/folder/end 0  0.250\n", "…", ""},
		{40, "…/folder/folder/folder/end 0", "left out", ""},
		{25, " k  path\n", "nmse ", "nmse"},
		{20, "k 0  path\n", "left out", ""},
	} {
		screen.Width = c.width
		got := fitted(t, in, screen)
		if !strings.Contains(got, c.has) || strings.Contains(strings.SplitAfterN(got, "\n\n", 3)[1], c.hasNot) {
			t.Errorf("%d: want %q and not %q:\n%s", c.width, c.has, c.hasNot, got)
		}
		if c.left != "" && !strings.Contains(strings.ReplaceAll(got, "\n", " "), "left out: "+c.left+" (") {
			t.Errorf("%d: %s is not named:\n%s", c.width, c.left, got)
		}
		for line := range strings.Lines(got) {
			if line = strings.TrimSuffix(line, "\n"); Width(line) > c.width && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("%d: %q has %d", c.width, line, Width(line))
			}
		}
	}
	if got := fitted(t, in, Screen{}); got != string(written(t, "table", in)) || !strings.Contains(got, whole) {
		t.Errorf("in a file:\n%s", got)
	}
	if got := fitted(t, in, Screen{Width: 200}); got != string(written(t, "table", in)) {
		t.Errorf("columns are to stay:\n%s", got)
	}
}

func TestShorten(t *testing.T) {
	for _, c := range []struct {
		text    string
		columns int
		want    string
	}{
		{"abcdef", 6, "abcdef"}, {"abcdefg", 6, "…cdefg"}, {"ab the loss is NaN", 14, "…loss is NaN"},
		{"日本語日本語", 7, "…日本語"}, {"日本語日本語", 6, "…本語"}, {"a b", 1, "…"},
	} {
		if got := shorten(c.text, c.columns); got != c.want || Width(got) > c.columns {
			t.Errorf("%q in %d: %q, want %q", c.text, c.columns, got, c.want)
		}
	}
}

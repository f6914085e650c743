package table

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Screen is a terminal that a table is to fit, and says what may be done for that.
type Screen struct {
	Width int // its columns; 0 for a file, for which a table stays as it is

	// All is how the line begins above the table that has the columns with one value, as in "all runs". They stay in the
	// table if All is empty. The first column always stays.
	All string

	// Leave lists the columns that a table which is too wide goes without, the first of them first. All others stay.
	Leave []string
}

// A Fitted table is as wide as a screen at most.
type Fitted struct {
	Table
	LeftOut []string // columns
	Blocks  bool     // no table fits: each row has lines of its own, with all columns

	screen  Screen
	columns int   // of the table before it was fitted
	common  Table // one row: the columns of which all rows have the one value
}

// leastText is the width to which texts are shortened before a column is left out.
const leastText = 16

// Fit fits a table to a screen. In this order, and only as far as it needs to: columns with one value for all rows go
// to a line above (always); long texts lose their beginning, for which … stands; the columns of Leave go; and each row
// becomes a block of lines.
func (t *Table) Fit(s Screen) Fitted {
	f := Fitted{Table: Table{Columns: slices.Clone(t.Columns)}, screen: s, columns: len(t.Columns)}
	for _, row := range t.Rows {
		f.Rows = append(f.Rows, slices.Clone(row))
	}
	if s.Width <= 0 {
		return f
	}
	f.moveCommon()
	whole := f.Table
	widths := map[string]int{} // of columns, with the blank on each side
	texts := map[string]bool{}
	for j, column := range f.formatted() {
		c := f.Columns[j]
		widest := Width(oneLine(c.Name))
		for _, text := range column {
			widest = max(widest, Width(text))
		}
		widths[c.Name], texts[c.Name] = widest+2, c.Kind == Text && widest > max(leastText, Width(oneLine(c.Name)))
	}
	fits := func(text int) bool {
		sum := 0
		for _, c := range f.Columns {
			if n := widths[c.Name]; texts[c.Name] {
				sum += min(n, max(text, Width(oneLine(c.Name)))+2)
			} else {
				sum += n
			}
		}
		return sum <= s.Width
	}
	for _, name := range s.Leave {
		if fits(leastText) {
			break
		}
		f.leave(name)
	}
	if !fits(leastText) {
		f.Table, f.LeftOut, f.Blocks = whole, nil, true
		return f
	}
	most := leastText
	for most < s.Width && fits(most+1) {
		most++
	}
	for j, c := range f.Columns {
		if !texts[c.Name] {
			continue
		}
		for _, row := range f.Rows {
			if v, ok := row[j].(string); ok {
				row[j] = shorten(oneLine(v), max(most, Width(oneLine(c.Name))))
			}
		}
	}
	return f
}

// moveCommon moves the columns with one value for all rows, of which there are several, to f.common.
func (f *Fitted) moveCommon() {
	if f.screen.All == "" || len(f.Rows) < 2 {
		return
	}
	var stay, move []string
	for j, c := range f.Columns {
		if j > 0 && !slices.ContainsFunc(f.Rows, func(row []any) bool { return !Equal(row[j], f.Rows[0][j]) }) {
			move = append(move, c.Name)
		} else {
			stay = append(stay, c.Name)
		}
	}
	first := f.Pick([]int{0})
	f.common = first.only(move)
	f.Table = f.only(stay)
}

// leave leaves a column out, if there is one of this name besides the first.
func (f *Fitted) leave(name string) {
	if f.Index(name) <= 0 {
		return
	}
	f.LeftOut = append(f.LeftOut, name)
	var stay []string
	for _, c := range f.Columns {
		if c.Name != name {
			stay = append(stay, c.Name)
		}
	}
	f.Table = f.only(stay)
}

// only returns a table of some columns, which t has.
func (t *Table) only(names []string) Table {
	out := Table{Rows: make([][]any, len(t.Rows))}
	for j, c := range t.Columns {
		if !slices.Contains(names, c.Name) {
			continue
		}
		out.Columns = append(out.Columns, c)
		for i, row := range t.Rows {
			out.Rows[i] = append(out.Rows[i], row[j])
		}
	}
	return out
}

// shorten leaves as much of the end of a text as fits some columns, from the beginning of a word if there is one near.
func shorten(s string, columns int) string {
	if Width(s) <= columns {
		return s
	}
	runes := []rune(s)
	from, room := len(runes), columns-Width("…")
	for from > 0 && Width(string(runes[from-1])) <= room {
		from--
		room -= Width(string(runes[from]))
	}
	rest := string(runes[from:])
	if _, words, ok := strings.Cut(rest, " "); ok && len(words) > len(rest)*2/3 { // no half word
		rest = words
	}
	return "…" + rest
}

// Shown returns a row's text in a column of a fitted table, in the table or above it. ok is false where the column is
// left out.
func (f *Fitted) Shown(row int, column string) (text string, ok bool) {
	if f.common.Index(column) >= 0 {
		return Print(f.common.Value(0, column)), true
	}
	return Print(f.Value(row, column)), f.Index(column) >= 0
}

// Write writes the table as it fits the screen, and below it which columns are left out.
func (f *Fitted) Write(w io.Writer) error {
	if len(f.common.Columns) > 0 {
		parts := f.common.pairs(f.common.formatted(), 0, 0)
		parts[0] = f.screen.All + ": " + parts[0]
		if _, err := io.WriteString(w, Wrap(f.screen.Width, "", "  ", parts...)+"\n"); err != nil {
			return err
		}
	}
	if f.Blocks {
		return f.writeBlocks(w)
	}
	if err := writeTerminal(w, &f.Table); err != nil || len(f.LeftOut) == 0 {
		return err
	}
	note := fmt.Sprintf("%d of %d columns fit; left out: %s (--columns chooses, -o csv has all)",
		f.columns-len(f.LeftOut), f.columns, strings.Join(f.LeftOut, ", "))
	_, err := io.WriteString(w, "\n"+Wrap(f.screen.Width, "", "", note))
	return err
}

// writeBlocks writes each row as names and values. A text in the first column is its heading.
func (f *Fitted) writeBlocks(w io.Writer) error {
	texts := f.formatted()
	for i := range f.Rows {
		var parts []string
		from := 0
		if f.Columns[0].Kind == Text {
			parts, from = []string{texts[0][i]}, 1
		}
		parts = append(parts, f.pairs(texts, i, from)...)
		if _, err := io.WriteString(w, Wrap(f.screen.Width, "", "  ", parts...)); err != nil {
			return err
		}
	}
	return nil
}

// formatted returns all columns, each as formatColumn prints it, in one line.
func (t *Table) formatted() [][]string {
	out := make([][]string, len(t.Columns))
	for j := range t.Columns {
		out[j] = t.formatColumn(j)
		for i := range out[j] {
			out[j][i] = oneLine(out[j][i])
		}
	}
	return out
}

// pairs returns the names and values of a row from a column on, without those that are not there.
func (t *Table) pairs(texts [][]string, row, from int) []string {
	var out []string
	for j := from; j < len(t.Columns); j++ {
		if t.Rows[row][j] != nil {
			out = append(out, oneLine(t.Columns[j].Name)+" "+texts[j][row])
		}
	}
	return out
}

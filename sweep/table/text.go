package table

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// writeTerminal writes a table for a terminal. Its only line is below the header: there may be many columns, and a
// terminal is narrow.
func writeTerminal(w io.Writer, t *Table) error {
	return render(w, t, renderer.NewBlueprint(tw.Rendition{
		Borders: tw.BorderNone,
		Symbols: tw.NewSymbols(tw.StyleLight),
		Settings: tw.Settings{
			Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off},
			Lines:      tw.Lines{ShowHeaderLine: tw.On},
		},
	}), oneLine)
}

// writeMarkdown writes a table in Markdown.
func writeMarkdown(w io.Writer, t *Table) error {
	return render(w, t, renderer.NewMarkdown(), EscapeMarkdown)
}

// EscapeMarkdown returns a text as Markdown shows it literally in one line, also in a cell of a table. An underscore
// between letters or digits, as in dict_size, emphasises nothing and stays as it is. What is between dollars is
// mathematics for GitHub, and what is between tildes deleted.
func EscapeMarkdown(s string) string {
	if s = oneLine(s); !strings.ContainsAny(s, "\\|<`*&$~]_") { // as almost all texts of a table
		return s
	}
	s = strings.NewReplacer("\\", `\\`, "|", `\|`, "<", `\<`, "`", "\\`", "*", `\*`, "&", `\&`, "$", `\$`, "~", `\~`,
		"](", `]\(`).Replace(s)
	if !strings.Contains(s, "_") {
		return s
	}
	var b strings.Builder
	before := ' '
	for i, r := range s {
		after, _ := utf8.DecodeRuneInString(s[i+1:])
		if r == '_' && !(isWord(before) && isWord(after)) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		before = r
	}
	return b.String()
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// oneLine replaces line breaks and other control characters by spaces.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}

// render writes the names and the values of a table, each as escape makes it.
func render(w io.Writer, t *Table, r tw.Renderer, escape func(string) string) error {
	header := make([]string, len(t.Columns))
	align := make(tw.Alignment, len(t.Columns))
	lines := make([][]string, len(t.Rows))
	for j, c := range t.Columns {
		header[j], align[j] = escape(c.Name), tw.AlignRight
		if c.Kind == Text {
			align[j] = tw.AlignLeft
		}
		for i, text := range t.formatColumn(j) {
			lines[i] = append(lines[i], escape(text))
		}
	}
	var b bytes.Buffer
	out := tablewriter.NewTable(&b,
		tablewriter.WithRenderer(r),
		tablewriter.WithHeaderAutoFormat(tw.Off), // column names stay as they are
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithHeaderAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithRowAlignmentConfig(tw.CellAlignment{PerColumn: align}),
	)
	out.Header(header)
	if err := out.Bulk(lines); err != nil {
		return err
	}
	if err := out.Render(); err != nil {
		return err
	}
	for line := range bytes.Lines(b.Bytes()) {
		if _, err := fmt.Fprintf(w, "%s\n", bytes.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

const (
	missingText = "–" // a value that is not there
	maxDecimals = 6   // digits after the point
)

// formatColumn prints a column for people, one text for each row. Measured numbers of a column have the same number of
// decimals, so that their points are below each other:
//
//	0.9, 0.00012        0.900000, 0.000120
//	123.4567, 9.87654   123.46, 9.88
//	1e9, 1              1e+09, 1: too far apart for a fixed number of decimals
func (t *Table) formatColumn(j int) []string {
	out := make([]string, len(t.Rows))
	decimals, fixed := t.decimalsOf(j)
	for i, row := range t.Rows {
		x, isFloat := row[j].(float64)
		switch {
		case finite(row[j]) == nil:
			out[i] = missingText
		case !isFloat || t.Columns[j].Exact:
			out[i] = Print(row[j])
		case fixed:
			out[i] = strconv.FormatFloat(x, 'f', decimals, 64)
		default:
			out[i] = strconv.FormatFloat(x, 'g', 4, 64)
		}
	}
	return out
}

// decimalsOf returns the number of decimals with which the largest number of a column has at least four digits and the
// smallest at least three, but at most maxDecimals. fixed is false if the largest is so large or so small that the
// numbers need an exponent.
func (t *Table) decimalsOf(j int) (decimals int, fixed bool) {
	smallest, largest := math.Inf(1), 0.0
	for _, row := range t.Rows {
		if x, ok := row[j].(float64); ok && x != 0 && finite(x) != nil {
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

package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// writeTable writes a table for a terminal. Its only line is below the header: there are many columns, and a terminal
// is narrow.
func writeTable(w io.Writer, rows Rows) error {
	return render(w, rows, renderer.NewBlueprint(tw.Rendition{
		Borders: tw.BorderNone,
		Symbols: tw.NewSymbols(tw.StyleLight),
		Settings: tw.Settings{
			Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off},
			Lines:      tw.Lines{ShowHeaderLine: tw.On},
		},
	}), strings.NewReplacer(), "")
}

// writeMarkdown writes a table in Markdown.
func writeMarkdown(w io.Writer, rows Rows) error {
	return render(w, rows, renderer.NewMarkdown(), strings.NewReplacer("|", `\|`, "<", `\<`, "`", "\\`"), "- ")
}

// render writes tableColumns, the errors that are too long for it, each behind a bullet, and notes. escape is applied
// to each value and error.
func render(w io.Writer, rows Rows, r tw.Renderer, escape *strings.Replacer, bullet string) error {
	columns := rows.tableColumns()
	header := make([]string, len(columns))
	align := make(tw.Alignment, len(columns))
	lines := make([][]string, len(rows.Results))
	for i, c := range columns {
		header[i], align[i] = c.Name, tw.AlignRight
		if c.Text {
			align[i] = tw.AlignLeft
		}
		for j, text := range formatColumn(c, rows.Results) {
			lines[j] = append(lines[j], escape.Replace(text))
		}
	}
	var b bytes.Buffer
	t := tablewriter.NewTable(&b,
		tablewriter.WithRenderer(r),
		tablewriter.WithHeaderAutoFormat(tw.Off), // column names stay as they are
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithHeaderAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithRowAlignmentConfig(tw.CellAlignment{PerColumn: align}),
	)
	t.Header(header)
	if err := t.Bulk(lines); err != nil {
		return err
	}
	if err := t.Render(); err != nil {
		return err
	}
	for line := range bytes.Lines(b.Bytes()) {
		if _, err := fmt.Fprintf(w, "%s\n", bytes.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	var below []string
	if lines := reasons(rows.Results); len(lines) > 0 {
		for i := range lines {
			lines[i] = bullet + escape.Replace(lines[i])
		}
		below = append(below, strings.Join(lines, "\n"))
	}
	for _, text := range append(below, rows.notes()...) {
		if _, err := fmt.Fprintf(w, "\n%s\n", text); err != nil {
			return err
		}
	}
	return nil
}

package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/topksweep/sweep/sweep/table"
)

// Write writes the results in the format with the given name. A format whose values read back exactly has every column.
// The others have those that a person looks at, and below the table the errors that are too long for it, and notes. All
// have the columns that Rows.Columns names, if it does. The error names one that is not there.
func Write(w io.Writer, format string, rows Rows) error {
	f, err := table.FormatOf(format)
	if err != nil {
		return err
	}
	t := rows.Table()
	look := Look{Width: rows.Width, Rows: "runs", All: rows.AllColumns, Notes: rows.notes()}
	if rows.Some {
		look.Rows = "runs shown"
	}
	switch {
	case len(rows.Columns) > 0:
		t, err = t.Select(rows.Columns)
		look.Chosen, look.Notes = true, nil
	case !f.Exact:
		t, err = t.Select(Shown(&t, rows.axes(), rows.AllColumns))
		look.Lines = reasons(rows.Results)
	}
	if err != nil {
		return err
	}
	if f.Exact {
		return f.Write(w, &t)
	}
	return look.Write(w, f, t)
}

// WriteBelow writes a table for people with lines and sentences below it.
func WriteBelow(w io.Writer, f table.Format, t table.Table, lines, notes []string) error {
	if err := f.Write(w, &t); err != nil {
		return err
	}
	var below []string
	switch f.Name {
	case "md":
		for i, line := range lines {
			lines[i] = "- " + table.EscapeMarkdown(line)
		}
	case "latex": // a document takes the file in, so that what is below the table must not be set
		for _, line := range append(lines, notes...) {
			if _, err := fmt.Fprintf(w, "%% %s\n", OneLine(line)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(lines) > 0 {
		below = append(below, strings.Join(lines, "\n"))
	}
	for _, text := range append(below, notes...) {
		if _, err := fmt.Fprintf(w, "\n%s\n", text); err != nil {
			return err
		}
	}
	return nil
}

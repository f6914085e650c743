package report

import (
	"fmt"
	"io"
	"strings"
)

// A Format is one way to write results.
type Format struct {
	Name      string // the value of the flag -o, and of the argument of Write
	Extension string // of a file in this format, without the dot
	Doc       string
	write     func(w io.Writer, rows Rows) error
}

// Formats lists every format. The first is for a terminal.
func Formats() []Format {
	return []Format{
		{"table", "txt", "a table for a terminal", writeTable},
		{"csv", "csv", "comma-separated values: every column, a line for each run", writeCSV},
		{"json", "json", "an array of objects: every column, null for what is not there", writeJSON},
		{"md", "md", "a table in Markdown", writeMarkdown},
	}
}

// Write writes rows in the format with the given name.
func Write(w io.Writer, format string, rows Rows) error {
	var names []string
	for _, f := range Formats() {
		if f.Name == format {
			if err := f.write(w, rows); err != nil {
				return fmt.Errorf("write results as %s: %w", format, err)
			}
			return nil
		}
		names = append(names, f.Name)
	}
	return fmt.Errorf("format %q: want one of %s", format, strings.Join(names, ", "))
}

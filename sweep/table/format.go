package table

import (
	"fmt"
	"io"
	"strings"
)

// A Format is one way to write a table.
type Format struct {
	Name      string // as a user gives it
	Extension string // of a file in this format, without the dot
	Doc       string
	Exact     bool // every value reads back as it is; the other formats are for people
	Binary    bool // not for a terminal
	write     func(w io.Writer, t *Table) error
}

// Formats lists every format. The first is for a terminal. Equal tables give equal bytes in each.
func Formats() []Format {
	return []Format{
		{"table", "txt", "a table for a terminal", false, false, writeTerminal},
		{"csv", "csv", "comma-separated values, with a line of column names", true, false, writeCSV},
		{"json", "json", "an array of objects; null for what is not there", true, false, writeJSON},
		{"jsonl", "jsonl", "JSON Lines: an object a line", true, false, writeJSONLines},
		{"md", "md", "a table in Markdown", false, false, writeMarkdown},
		{"latex", "tex", "a table in LaTeX, for the package booktabs", false, false, writeLaTeX},
		{"parquet", "parquet", "Apache Parquet, with the type, unit and meaning of each column", true, true, writeParquet},
	}
}

// FormatOf returns the format with a name.
func FormatOf(name string) (Format, error) {
	var names []string
	for _, f := range Formats() {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Format{}, fmt.Errorf("format %q: want one of %s", name, strings.Join(names, ", "))
}

// Write writes a table in the format.
func (f Format) Write(w io.Writer, t *Table) error {
	if err := f.write(w, t); err != nil {
		return fmt.Errorf("write a table as %s: %w", f.Name, err)
	}
	return nil
}

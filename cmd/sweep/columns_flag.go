package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/sweep/table"
)

// allColumns is what a person writes for every column.
const allColumns = "all"

// A columnsFlag is the value of the flag --columns: columns of a table, or all, which stands alone. None stands for
// those that tables have.
type columnsFlag struct {
	names []string
	known []table.Column
	later bool // a file may add columns, so that the names are looked up when it is read
}

// Set implements pflag.Value. Given again, it adds columns. A name with a comma stands in quotes.
func (f *columnsFlag) Set(s string) error {
	names, err := csv.NewReader(strings.NewReader(s)).Read()
	if err != nil {
		return inputError{errors.New("--columns: no column is named")}
	}
	for _, name := range names {
		f.names = append(f.names, strings.TrimSpace(name))
	}
	if f.later || f.all() {
		return nil
	}
	_, err = f.of(table.Table{Columns: f.known})
	return err
}

// of returns a table of the columns that are named, or of all if none is.
func (f *columnsFlag) of(t table.Table) (table.Table, error) {
	if len(f.chosen()) == 0 {
		return t, nil
	}
	t, err := t.Select(f.names)
	if err != nil {
		err = inputError{fmt.Errorf("--columns: %w", err)}
	}
	return t, err
}

func (f *columnsFlag) Type() string   { return "columns" }
func (f *columnsFlag) String() string { return strings.Join(f.names, ",") }

func (f *columnsFlag) addFlag(to *pflag.FlagSet) {
	to.Var(f, "columns", "only these `columns`, in this order, in each format; all for every column")
}

// all reports whether every column is asked for.
func (f *columnsFlag) all() bool { return len(f.names) == 1 && f.names[0] == allColumns }

// chosen lists the columns that are named.
func (f *columnsFlag) chosen() []string {
	if f.all() {
		return nil
	}
	return f.names
}

// resultColumns lists the columns of results.
func resultColumns() []table.Column {
	var out []table.Column
	for _, c := range report.Columns() {
		out = append(out, c.Column)
	}
	return out
}

// completeColumns completes the last of the columns that the flag names.
func completeColumns(known []table.Column) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		before := toComplete[:strings.LastIndex(toComplete, ",")+1]
		given := strings.Split(before, ",")
		var out []cobra.Completion
		for _, c := range known {
			if !slices.Contains(given, c.Name) {
				out = append(out, cobra.CompletionWithDesc(before+c.Name, c.Doc))
			}
		}
		if before == "" {
			out = append(out, cobra.CompletionWithDesc(allColumns, "every column"))
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

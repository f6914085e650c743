package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/topksweep/sweep/sweep/table"
)

// A whereOption is the value of the flag --where: the rows that are wanted.
type whereOption struct {
	filter table.Filter
	texts  []string
}

func (o *whereOption) addFlag(f *pflag.FlagSet) {
	f.Var(o, "where", "only rows for which `conditions` hold, as in 'k=8,nmse<0.2'; = != < <= > >= ^=")
}

// Set implements pflag.Value. Given again, it adds conditions.
func (o *whereOption) Set(s string) error {
	_, err := table.ParseFilter(s)
	if err == nil {
		o.texts = append(o.texts, s)
		o.filter, err = table.ParseFilter(o.String()) // errors say where in the whole a condition is
	}
	if err != nil {
		return inputError{fmt.Errorf("--where %w", err)}
	}
	return nil
}

func (o *whereOption) Type() string   { return "conditions" }
func (o *whereOption) String() string { return strings.Join(o.texts, ",") }

// apply returns the rows of a table for which the conditions hold. It notes if there is none.
func (o *whereOption) apply(env *environment, t table.Table) (table.Table, error) {
	keep, err := o.filter.Rows(&t)
	if err != nil {
		return t, inputError{fmt.Errorf("--where '%s': %w", o, err)}
	}
	o.noteNone(env, len(keep), t)
	return t.Pick(keep), nil
}

// noteNone notes that no row of a table is left, and what to ask instead.
func (o *whereOption) noteNone(env *environment, left int, of table.Table) {
	if len(o.filter) == 0 || left > 0 || len(of.Rows) == 0 {
		return
	}
	note := fmt.Sprintf("none of %d rows is left by --where '%s'", len(of.Rows), o)
	if hint := o.filter.Hint(&of); hint != "" {
		note += ": " + hint
	}
	env.note(note)
}

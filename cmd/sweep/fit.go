package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/topksweep/sweep/sweep/scaling"
	"github.com/topksweep/sweep/sweep/table"
)

// fitOptions say what the verbs fit and predict fit, and how.
type fitOptions struct {
	location location
	args     []string // sweeps and files
	where    whereOption
	form     string // "" of predict: what the points determine
	without  []string
	fit      scaling.Options
}

func (o *fitOptions) addFlags(f *pflag.FlagSet) {
	o.fit = scaling.Options{Level: 0.95, Resamples: 1000}
	o.location.addFlags(f)
	o.where.addFlag(f)
	f.StringSliceVar(&o.without, "without", nil, "leave `coefficients` out of the form, as zeta,eta for no floor")
	f.Float64Var(&o.fit.Level, "level", o.fit.Level, "of the intervals")
	f.IntVar(&o.fit.Resamples, "resamples", o.fit.Resamples, "of the bootstrap that the intervals are made by")
	f.Uint64Var(&o.fit.Seed, "seed", 0, "of the bootstrap")
}

// check reads the form. Without a form, fallback is taken.
func (o *fitOptions) check(fallback scaling.Form) error {
	o.fit.Form, o.fit.Without = fallback, o.without
	if o.form != "" {
		o.fit.Form = scaling.Form(o.form)
	}
	if err := o.fit.Check(); err != nil {
		return inputError{err}
	}
	return nil
}

// read reads the tables that a form is fitted to.
func (o *fitOptions) read(ctx context.Context, env *environment) (tables, error) {
	t, err := readTables(ctx, o.location, o.args, o.fit.Form == scaling.C, nil)
	if err != nil {
		return t, err
	}
	for _, note := range t.notes {
		env.note(note)
	}
	return t, t.filter(env, &o.where)
}

// points makes the points of tables that a form is fitted to.
func (o *fitOptions) points(t tables) (points []scaling.Point, s scaling.Selection, err error) {
	curves := o.fit.Form == scaling.C
	switch {
	case curves && len(t.curves.Columns) == 0:
		return nil, s, inputError{errors.New("form c is fitted to curves: give a sweep, or a file of curves, " +
			"which has a column step")}
	case !curves && isOnlyCurves(&t):
		return nil, s, inputError{fmt.Errorf("form %s is fitted to results, and %s holds curves: give a sweep or a "+
			"file of results", o.fit.Form, strings.Join(o.args, ", "))}
	case curves:
		if err = scaling.CheckSame(t.results); err == nil {
			err = oneK(o.fit.Form, heldOutKs(t.curves))
		}
		if err == nil {
			points, s, err = scaling.Envelope(t.curves)
		}
	default:
		points, s, err = scaling.Points(t.results)
	}
	if err == nil && o.fit.Form == scaling.N {
		var ks []int64
		for _, p := range points {
			ks = append(ks, p.K)
		}
		err = oneK(o.fit.Form, ks)
	}
	if err != nil {
		return nil, s, inputError{err}
	}
	return points, s, nil
}

// isOnlyCurves reports whether there is no sweep and no file of results.
func isOnlyCurves(t *tables) bool {
	return len(t.headers) == 0 && len(t.results.Rows) == 0 && len(t.curves.Columns) > 0
}

// heldOutKs lists k of the rows of curves that have a held-out nmse.
func heldOutKs(curves table.Table) (ks []int64) {
	for i := range curves.Rows {
		if k, ok := curves.Number(i, "k"); ok && curves.Value(i, "nmse") != nil {
			ks = append(ks, int64(k))
		}
	}
	return ks
}

// oneK refuses several k for a form that is for one.
func oneK(f scaling.Form, ks []int64) error {
	slices.Sort(ks)
	ks = slices.Compact(ks)
	if len(ks) < 2 {
		return nil
	}
	list := make([]string, len(ks))
	for i, k := range ks {
		list[i] = strconv.FormatInt(k, 10)
	}
	return fmt.Errorf("form %s is for one k, and there are %s: choose with --where k=%d",
		f, strings.Join(list, ", "), ks[0])
}

// filter leaves the results for which the conditions hold, and the curves of their cells. Curves that no result tells
// of, because there are none or because one of the two tables has no column cell, are filtered themselves.
func (t *tables) filter(env *environment, where *whereOption) (err error) {
	only := isOnlyCurves(t)
	if !only {
		if t.results, err = where.apply(env, t.results); err != nil {
			return err
		}
	}
	switch {
	case len(t.curves.Columns) == 0:
		return nil
	case only || t.curves.Index("cell") < 0 || t.results.Index("cell") < 0:
		t.curves, err = where.apply(env, t.curves)
		return err
	}
	cells := map[any]bool{}
	for i := range t.results.Rows {
		cells[t.results.Value(i, "cell")] = true
	}
	var rows []int
	for i := range t.curves.Rows {
		if cells[t.curves.Value(i, "cell")] {
			rows = append(rows, i)
		}
	}
	t.curves = t.curves.Pick(rows)
	return nil
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.temporal.io/api/serviceerror"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/sweep/spelling"
	"github.com/topksweep/sweep/trainer"
)

// selectionOptions choose cells of a sweep.
type selectionOptions struct {
	cells cellsFlag
	where whereOption
}

func (o *selectionOptions) addFlags(f *pflag.FlagSet) {
	f.Var(&o.cells, "cell", "only these `cells`: IDs as sweep results shows them, or their beginnings, "+
		"separated by commas")
	f.Var(&o.where, "where", "only cells for which `conditions` hold, as in 'k=8,status=failed'; "+
		"= != < <= > >= ^=")
}

// given reports whether cells are chosen; else the whole sweep is meant.
func (o *selectionOptions) given() bool { return len(o.cells) > 0 || len(o.where.texts) > 0 }

// check refuses flags that do not go together.
func (o *selectionOptions) check() error {
	if len(o.cells) > 0 && len(o.where.texts) > 0 {
		return inputError{errors.New("--cell and --where: want one of them")}
	}
	return nil
}

func (o *selectionOptions) String() string {
	if len(o.cells) > 0 {
		return "--cell " + o.cells.String()
	}
	return "--where '" + o.where.String() + "'"
}

// A cellsFlag is the value of the flag --cell: IDs of cells, or the beginnings of them.
type cellsFlag []string

// Set implements pflag.Value. Given again, it adds cells.
func (c *cellsFlag) Set(s string) error {
	for id := range strings.SplitSeq(s, ",") {
		id = strings.ToLower(strings.TrimSpace(id))
		if id == "" {
			return inputError{fmt.Errorf("--cell %q: want the ID of a cell, as sweep results shows it", s)}
		}
		*c = append(*c, id)
	}
	return nil
}

func (c *cellsFlag) Type() string   { return "cells" }
func (c *cellsFlag) String() string { return strings.Join(*c, ",") }

// choose returns the numbers of the chosen cells that have no result, ascending, and says how many there are. results
// are those of all cells, in the plan's order.
func (o *selectionOptions) choose(env *environment, h *plan.Header, results []ledger.Result) ([]int, error) {
	chosen, err := o.match(h, results)
	if err != nil {
		return nil, err
	}
	var out []int
	for _, i := range chosen {
		if results[i].Status != plan.Completed {
			out = append(out, i)
		}
	}
	done, cells := len(chosen)-len(out), someOf(len(chosen), len(results))
	switch {
	case len(out) == 0:
		return nil, fmt.Errorf("%s chooses %s of sweep %s, and all of them have results", o, cells, h.ID)
	case len(out) > protocol.MaxSelection:
		return nil, inputError{fmt.Errorf("%s chooses %s of sweep %s: want at most %d at a time",
			o, cells, h.ID, protocol.MaxSelection)}
	case done > 0:
		fmt.Fprintf(env.errOut, "sweep %s: %s chooses %s; %d of these %d have results and stay\n",
			h.ID, o, cells, done, len(chosen))
	default:
		fmt.Fprintf(env.errOut, "sweep %s: %s chooses %s\n", h.ID, o, cells)
	}
	return out, nil
}

// someOf counts some cells of all.
func someOf(n, of int) string { return fmt.Sprintf("%d of %d cells", n, of) }

// match returns the numbers of the chosen cells, ascending.
func (o *selectionOptions) match(h *plan.Header, results []ledger.Result) ([]int, error) {
	if len(o.cells) > 0 {
		return o.cells.find(h, results)
	}
	const atOnce = 20_000 // a row of the table takes some kB
	var keep []int
	var hint string
	for from := 0; from < len(results); from += atOnce {
		rows := report.Rows{Plan: h, Results: results[from:min(from+atOnce, len(results))]}
		t := rows.Table()
		found, err := o.where.filter.Rows(&t)
		if err != nil {
			return nil, inputError{fmt.Errorf("%s: %w", o, err)}
		}
		for _, i := range found {
			keep = append(keep, from+i)
		}
		if len(results) <= atOnce { // else the hint would be about a part of the cells
			hint = o.where.filter.Hint(&t)
		}
	}
	if len(keep) == 0 {
		if hint != "" {
			hint = ": " + hint
		}
		return nil, inputError{fmt.Errorf("%s chooses none of the %d cells of sweep %s%s", o, len(results), h.ID, hint)}
	}
	return keep, nil
}

// find returns the numbers of the cells with these IDs, ascending. A part at the beginning of an ID is enough if no
// other cell's begins with it.
func (c cellsFlag) find(h *plan.Header, results []ledger.Result) ([]int, error) {
	var out []int
	var faults []error
	for _, want := range c {
		var found []int
		for i, r := range results {
			if r.Cell == want || r.Run == want {
				found = []int{i}
				break
			}
			if strings.HasPrefix(r.Cell, want) {
				found = append(found, i)
			}
		}
		switch len(found) {
		case 0:
			hint := nearestCell(want, results)
			faults = append(faults, fmt.Errorf("--cell %s: sweep %s has no such cell; %s", want, h.ID, hint))
		case 1:
			out = append(out, found[0])
		default:
			faults = append(faults, fmt.Errorf("--cell %s: the IDs of %d cells of sweep %s begin so: %s; give more of the ID",
				want, len(found), h.ID, someCells(found, results)))
		}
	}
	if len(faults) > 0 {
		return nil, inputError{errors.Join(faults...)}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// someCells names the first of some cells.
func someCells(numbers []int, results []ledger.Result) string {
	const most = 5
	var ids []string
	for _, i := range numbers[:min(most, len(numbers))] {
		ids = append(ids, results[i].Cell)
	}
	if len(numbers) > most {
		ids = append(ids, "…")
	}
	return strings.Join(ids, ", ")
}

// nearestCell returns the question whether another cell is meant, or else where the IDs are.
func nearestCell(want string, results []ledger.Result) string {
	ids := map[string]string{} // by what is as long as the word
	var known []string
	for _, r := range results {
		begin := r.Cell[:min(len(r.Cell), len(want))]
		if ids[begin] == "" {
			ids[begin], known = r.Cell, append(known, begin)
		}
	}
	if near := spelling.Nearest(want, known); near != "" {
		return "did you mean " + ids[near] + "?"
	}
	return "sweep results shows the IDs"
}

// quickResults returns what every cell of a plan has come to, in the plan's order, without its metrics: no result is
// read. Of a cell without result the reasons are read only if status is asked for.
func quickResults(ctx context.Context, l *ledger.Ledger, h *plan.Header, status bool) ([]ledger.Result, error) {
	done, err := l.CompletedRuns(ctx)
	if err != nil {
		return nil, err
	}
	noted := map[string]bool{}
	if status {
		if noted, err = l.NotedCells(ctx, h.ID); err != nil {
			return nil, err
		}
	}
	var out []ledger.Result
	for i := range h.Chunks() {
		cells, err := l.Cells(ctx, h, i)
		if err != nil {
			return nil, err
		}
		for _, c := range cells {
			r := ledger.NewResult(h, c, plan.Pending)
			r.Sweep, r.Run, r.Written = h.ID, h.RunID(c.ID), c.Written
			if done[r.Run] {
				r.Status = plan.Completed
			} else if noted[c.ID] {
				note, err := l.Failure(ctx, h.ID, c.ID)
				if err != nil && !errors.Is(err, storage.ErrNotFound) {
					return nil, err
				}
				if err == nil {
					r.Status, r.Error = note.Status, note.Error
				}
			}
			out = append(out, r)
		}
	}
	return out, nil
}

// isQuick reports whether quickResults knows all that the options ask for.
func (o *selectionOptions) isQuick() bool {
	quick := []string{"cell", "sweep", "run", "status", "error"}
	for _, f := range trainer.Fields() {
		quick = append(quick, f.Key, f.Key+"_written")
	}
	quick = append(quick, grid.DataKey)
	return !slices.ContainsFunc(o.where.filter.Columns(), func(name string) bool { return !slices.Contains(quick, name) })
}

// asks reports whether the options ask for one of some columns.
func (o *selectionOptions) asks(columns ...string) bool {
	return slices.ContainsFunc(o.where.filter.Columns(), func(name string) bool { return slices.Contains(columns, name) })
}

// results reads as much of what the cells of a sweep have come to as the options ask for.
func (o *selectionOptions) results(ctx context.Context, l *ledger.Ledger, h *plan.Header) ([]ledger.Result, error) {
	if o.isQuick() {
		return quickResults(ctx, l, h, o.asks("status", "error"))
	}
	out, err := l.Results(ctx, h)
	if err == nil {
		err = l.CountAuxK(ctx, out)
	}
	return out, err
}

// tellStates gives the cells in flight the states that sweep status shows, if the options ask for them. The error says
// that the server or the sweep did not answer: a choice by states that are not known may be a wrong one.
func (o *selectionOptions) tellStates(ctx context.Context, srv *server, h *plan.Header, results []ledger.Result) error {
	if !o.asks("status", "error") {
		return nil
	}
	live, err := observeSweep(ctx, srv.client, h.ID)
	if notFound := (*serviceerror.NotFound)(nil); errors.As(err, &notFound) || err == nil && live.ended() {
		return nil
	}
	if err = cmp.Or(err, live.queryErr); err != nil {
		return fmt.Errorf("%s: what trains now is not known: %w", o, err)
	}
	setStates(results, workOf(live))
	return nil
}

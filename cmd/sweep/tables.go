package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// tables are what verbs that plot, fit and report work on.
type tables struct {
	results table.Table
	curves  table.Table    // without rows where there are none
	headers []*plan.Header // of the sweeps; none for files
	rows    []report.Rows  // of the sweeps
	notes   []string       // what is missing, for a person
}

// readTables reads the results and, if wanted, the curves of sweeps, each given by its name or ID, and of files: CSV,
// Parquet, JSON or JSON Lines. A file holds curves if it has a column step. Several are joined: the rows of the first
// come first. tell corrects what a sweep's results say of runs that have not ended; nil for none.
func readTables(ctx context.Context, at location, args []string, curves bool,
	tell func(context.Context, report.Rows)) (tables, error) {

	var out tables
	var results, points []table.Table
	for _, arg := range args {
		if isTableFile(arg) {
			t, err := readTableFile(arg)
			if err != nil {
				return out, inputError{err}
			}
			if t.Index("step") >= 0 {
				points = append(points, t)
			} else {
				results = append(results, t)
			}
			continue
		}
		rows, l, err := readSweep(ctx, at, arg)
		if unknown := (*ledger.UnknownSweepError)(nil); errors.As(err, &unknown) {
			if _, statErr := os.Stat(arg); statErr == nil {
				err = fmt.Errorf("%w; of files, those that end with .csv, .parquet, .json or .jsonl are read", err)
			}
		}
		if err != nil {
			return out, err
		}
		for _, have := range out.headers {
			if have.ID == rows.Plan.ID {
				return out, inputError{fmt.Errorf("sweep %s is given twice", have.ID)}
			}
		}
		if tell != nil {
			tell(ctx, rows)
		}
		rows.Tabulate()
		out.headers = append(out.headers, rows.Plan)
		out.rows = append(out.rows, rows)
		results = append(results, rows.Table())
		if curves {
			t, notes, err := readCurves(ctx, l, rows)
			if err != nil {
				return out, err
			}
			points, out.notes = append(points, t), append(out.notes, notes...)
		}
	}
	var err error
	if len(out.rows) == len(results) { // of sweeps alone: the columns are in the order of all
		out.results = report.Join(out.rows...).Table()
	} else {
		out.results, err = table.Join(results...)
	}
	if err == nil {
		out.curves, err = table.Join(points...)
	}
	if err != nil {
		return out, inputError{fmt.Errorf("%s together: %w", strings.Join(args, " and "), err)}
	}
	return out, nil
}

// readSweep reads the results of a sweep, given by its name or ID.
func readSweep(ctx context.Context, at location, sweep string) (report.Rows, *ledger.Ledger, error) {
	l, header, err := openSweep(ctx, at, sweep)
	if err != nil {
		return report.Rows{}, nil, err
	}
	results, err := l.Results(ctx, header)
	if err == nil {
		err = l.CountAuxK(ctx, results)
	}
	return report.Rows{Plan: header, Results: results}, l, err
}

// readCurves reads the curves of a sweep. Those that are not in the store or are damaged are left out, and the notes
// name them.
func readCurves(ctx context.Context, l *ledger.Ledger, rows report.Rows) (t table.Table, notes []string, err error) {
	whole := report.Rows{Plan: rows.Plan}
	curves := map[string][]trainer.Point{}
	for _, r := range rows.Results {
		if r.Status != plan.Completed {
			continue
		}
		curve, err := l.Curve(ctx, r.Run)
		if why := noCurve(r.Run, err); why != "" {
			notes = append(notes, why)
			continue
		}
		if err != nil {
			return t, nil, err
		}
		curves[r.Run] = curve
		whole.Results = append(whole.Results, r)
	}
	t, err = report.Curves(whole, func(r ledger.Result) ([]trainer.Point, error) { return curves[r.Run], nil })
	return t, notes, err
}

// noCurve says, for a person, why there is no curve of a run that can be shown. It is "" of other errors and of none.
func noCurve(run string, err error) string {
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return fmt.Sprintf("run %s has no curve in the store: it is left out", run)
	case errors.Is(err, storage.ErrCorrupt):
		return fmt.Sprintf("the curve of run %s in the store is damaged: it is left out", run)
	}
	return ""
}

// isTableFile reports whether an argument is the name of a file, not of a sweep.
func isTableFile(arg string) bool {
	switch strings.ToLower(filepath.Ext(arg)) {
	case ".csv", ".parquet", ".json", ".jsonl", ".ndjson":
		return true
	}
	return false
}

func readTableFile(path string) (table.Table, error) {
	f, err := os.Open(path)
	if err != nil {
		return table.Table{}, err
	}
	defer f.Close()
	var t table.Table
	switch strings.ToLower(filepath.Ext(path)) {
	case ".csv":
		t, err = table.ReadCSV(f, report.Schema()...)
	case ".parquet":
		t, err = table.ReadParquet(f, report.Schema()...)
	default:
		t, err = table.ReadJSON(f, report.Schema()...)
	}
	if err == nil {
		err = t.Conform(report.Schema())
	}
	if err != nil {
		return t, fmt.Errorf("read %s: %w", path, err)
	}
	return t, nil
}

package main

import (
	"bytes"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/page"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

type reportOptions struct {
	location location
	out      string // path of the file
	title    string // "" for the names of the sweeps
	args     []string
}

func newReportCommand(env *environment) *cobra.Command {
	var o reportOptions
	c := &cobra.Command{
		Use:   "report SWEEP…",
		Short: "Write an interactive report of sweeps as one HTML file",
		Long: `Write a report of one or several sweeps as one HTML file, which works offline and on a
phone: plots, parallel coordinates and a table, in which a selection in one shows in all;
the stage trees with the time that they took and saved; settings, lineage and failures.
SWEEP is a name, an ID, or a file of results or of curves (a file holds curves if it has
a column step). No server is needed. sweep run and sweep up serve the same report while
they run.`,
		Example: `  sweep report topk-demo --out report.html
  sweep report topk-demo topk-wider --out both.html --title "Two dictionaries"
  sweep report results.csv curves.csv --out report.html`,
		Args: args(cobra.MinimumNArgs(1)),

		ValidArgsFunction: completeSweeps(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.args = args
			return runReport(c.Context(), env, o)
		},
	}
	o.location.addFlags(c.Flags())
	c.Flags().StringVar(&o.out, "out", "report.html", "`file` to write; - for standard output")
	c.Flags().StringVar(&o.title, "title", "", "`title` of the report (default: the names of the sweeps)")
	return c
}

// runReport is the verb report.
func runReport(ctx context.Context, env *environment, o reportOptions) error {
	if o.out == "" {
		return inputError{fmt.Errorf("--out: want the name of a file")}
	}
	in := page.Input{Title: o.title}
	seen := map[string]bool{}
	for _, arg := range o.args {
		if isTableFile(arg) {
			t, err := readTables(ctx, o.location, []string{arg}, true, nil)
			if err != nil {
				return err
			}
			in.Results, in.Curves = append(in.Results, t.results), append(in.Curves, t.curves)
			continue
		}
		l, header, err := openSweep(ctx, o.location, arg)
		if err != nil {
			return err
		}
		if seen[header.ID] {
			return inputError{fmt.Errorf("sweep %s is given twice", header.ID)}
		}
		seen[header.ID] = true
		s, err := readPage(ctx, env, l, header.ID)
		if err != nil {
			return err
		}
		in.Sweeps = append(in.Sweeps, s)
	}
	var b bytes.Buffer
	if err := page.Write(&b, in); err != nil {
		return err
	}
	if o.out == "-" {
		_, err := env.out.Write(b.Bytes())
		return err
	}
	if err := writeWhole(o.out, b.Bytes()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	fmt.Fprintf(env.errOut, "report in %s\n", o.out)
	return nil
}

// readPage reads what a report shows of a sweep. Curves that are not there or are damaged are told as notes.
func readPage(ctx context.Context, env *environment, l *ledger.Ledger, sweep string) (page.Sweep, error) {
	p, results, err := l.Follow(sweep).Read(ctx)
	if err != nil {
		return page.Sweep{}, err
	}
	return newPageSweep(p, results, func(r ledger.Result) ([]trainer.Point, error) {
		points, err := l.Curve(ctx, p.RunID(r.Cell))
		if why := noCurve(r.Run, err); why != "" {
			env.note(why)
		}
		return points, err
	}), nil
}

// newPageSweep puts together what a report shows of a sweep. points reads the curve of a completed result. A curve that
// is not there or is damaged has no points: the report shows what there is.
func newPageSweep(p *plan.Plan, results []ledger.Result,
	points func(ledger.Result) ([]trainer.Point, error)) page.Sweep {

	rows := report.Rows{Plan: &p.Header, Results: results}
	return page.Sweep{Plan: p, Results: results, Table: rows.Table(), Curve: func(i int) (table.Table, error) {
		one := report.Rows{Plan: &p.Header, Results: results[i : i+1]}
		return report.Curves(one, func(r ledger.Result) ([]trainer.Point, error) {
			out, err := points(r)
			if noCurve(r.Run, err) != "" {
				err = nil
			}
			return out, err
		})
	}}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/sweep/track"
)

type trackOptions struct {
	location location
	to       string // name of a target
	out      string // folder
	args     []string

	reproducible bool
}

func newTrackCommand(env *environment) *cobra.Command {
	var o trackOptions
	var names, targets []string
	for _, t := range track.Targets() {
		names = append(names, t.Name)
		targets = append(targets, fmt.Sprintf("  %-12s %s\n  %-12s then: %s", t.Name, t.Doc, "", t.Next))
	}
	c := &cobra.Command{
		Use:   "track SWEEP…",
		Short: "Write sweeps as files for TensorBoard, W&B, MLflow or trackio",
		Long: `Write the results and curves of sweeps as files that an experiment tracker reads. SWEEP is
a name or an ID, or a file that sweep results or sweep curves wrote. Nothing is sent
anywhere, and no server is needed. The folder must be new or empty.

` + strings.Join(targets, "\n") + `

Runs that failed or were canceled are there as failed. Runs that have not ended are left
out. docs/trackers.md says which value is where.`,
		Example: `  sweep track topk-demo --to tensorboard --out tb
  sweep track topk-demo topk-demo-2 --to wandb --out offline && wandb sync offline
  sweep track runs.csv curves.csv --to mlflow --out store`,
		Args: args(cobra.MinimumNArgs(1)),

		ValidArgsFunction: completeSweeps(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.args = args
			if o.out == "" {
				return inputError{errors.New("--out is missing: name the folder to write, as in --out tracked")}
			}
			return runTrack(c.Context(), env, o)
		},
	}
	o.location.addFlags(c.Flags())
	c.Flags().StringVar(&o.to, "to", "", "`tracker`: "+strings.Join(names, ", "))
	c.Flags().StringVar(&o.out, "out", "", "`folder` to write, new or empty")
	c.Flags().BoolVar(&o.reproducible, "reproducible", false,
		"without the columns that differ between equal sweeps, such as times")
	return c
}

// runTrack is the verb track.
func runTrack(ctx context.Context, env *environment, o trackOptions) error {
	target, err := track.TargetOf(o.to)
	if err != nil {
		return inputError{fmt.Errorf("--to: %w", err)}
	}
	if err := track.Vacant(o.out); err != nil { // before anything long
		return outError(err)
	}
	read, err := readTables(ctx, o.location, o.args, true, nil)
	if err != nil {
		return err
	}
	env.note(read.notes...)
	if o.reproducible {
		if read.results, err = report.Reproducible(read.results); err != nil {
			return err
		}
	}
	if read.curves, err = report.DropSettings(read.curves); err != nil { // the results have them
		return err
	}
	settings := report.Settings(&read.results)
	s, err := track.Write(ctx, o.out, target, read.results, read.curves, track.Options{Settings: settings})
	if errors.Is(err, track.ErrNothing) {
		return fmt.Errorf("%s: %w", strings.Join(o.args, ", "), err)
	}
	if err != nil {
		return outError(err)
	}
	w := errorWriter{to: env.out}
	fmt.Fprintf(&w, "wrote %d runs, %d of them failed or canceled, with %d steps to %s\n",
		s.Runs, s.Failed, s.Points, o.out)
	if s.Pending > 0 {
		fmt.Fprintf(&w, "left out %d runs that have not ended\n", s.Pending)
	}
	fmt.Fprintf(&w, "next: %s\n", strings.ReplaceAll(target.Next, "FOLDER", quoted(o.out)))
	return w.err
}

// outError is what went wrong with the folder of --out.
func outError(err error) error {
	err = fmt.Errorf("--out: %w", err)
	if errors.Is(err, track.ErrOccupied) {
		return inputError{err}
	}
	return err
}

// Package track writes the results and curves of sweeps as files that experiment trackers read: TensorBoard, W&B,
// MLflow and trackio. Nothing is sent anywhere.
//
// All targets hold the same: for each run its settings, the columns of the curves by step under curve/NAME, and the
// numbers of the results under final/NAME. A value that is not there is left out. The bytes depend on the tables alone:
// where a format wants a time, it gets the step as seconds since 1970.
//
// The package works on tables, from a store or from files, so it imports sweep/table and encodes the formats itself.
package track

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/topksweep/sweep/sweep/table"
)

// A Target is a tracker that Write writes files for.
type Target struct {
	Name string
	Doc  string // what is written
	Next string // what to do with it; FOLDER stands for the folder

	write func(ctx context.Context, out *folder, runs []*run) error
}

// Targets lists the trackers.
func Targets() []Target {
	return []Target{
		{
			Name: "tensorboard", Doc: "event files, with the settings for the tab HPARAMS",
			Next: "tensorboard --logdir FOLDER", write: writeTensorBoard,
		},
		{
			Name: "wandb", Doc: "offline runs of Weights & Biases",
			Next: "wandb sync FOLDER", write: writeWandB,
		},
		{
			Name: "mlflow", Doc: "a file store of MLflow",
			Next: "mlflow migrate-filestore --source FOLDER --target sqlite:///mlflow.db", write: writeMLflow,
		},
		{
			Name: "trackio", Doc: "a CSV file for each run, and a program that imports all of them",
			Next: "python FOLDER/import.py", write: writeTrackio,
		},
	}
}

// TargetOf returns the target with a name.
func TargetOf(name string) (Target, error) {
	var names []string
	for _, t := range Targets() {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return Target{}, fmt.Errorf("no tracker %q; there are %s", name, strings.Join(names, ", "))
}

// Options say how the columns of the results are used.
type Options struct {
	Settings []string // columns that hold settings; the other columns of numbers hold what was measured
}

// A Summary counts what was written.
type Summary struct {
	Runs    int // in the folder
	Failed  int // of these, the runs that failed or were canceled
	Pending int // left out: they have not ended
	Points  int // steps with values, over all runs
}

// ErrNothing is the error if no run has ended.
var ErrNothing = errors.New("no run has ended: there is nothing to write")

// Write writes runs as the files of a target into a folder, which must be empty or not exist. The folder appears as a
// whole when all is written. curves may have no rows. The error wraps ErrOccupied if the folder holds anything, and
// ErrNothing if no run has ended.
func Write(
	ctx context.Context, path string, target Target, results, curves table.Table, o Options,
) (s Summary, err error) {
	runs, pending := runsOf(results, curves, o)
	s = Summary{Runs: len(runs), Pending: pending}
	for _, r := range runs {
		if r.status != completed {
			s.Failed++
		}
		s.Points += len(r.points)
	}
	if len(runs) == 0 {
		return s, ErrNothing
	}
	out, err := newFolder(path)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, out.remove()) }()
	if err := target.write(ctx, out, runs); err != nil {
		return s, err
	}
	return s, out.publish()
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
	"github.com/topksweep/sweep/trainer/models"
)

// A modelToMeasure is a model that is not read yet.
type modelToMeasure struct {
	name   string
	result ledger.Result // of a run of the store; without a run for a path
	read   func(ctx context.Context) (m *models.Model, from string, err error)
}

// measure measures all models that the arguments name, one after the other, so that one at a time is in memory.
// notMeasured joins what is wrong with single models; the others are measured.
func (o *evalOptions) measure(
	ctx context.Context, env *environment,
) (list []report.Evaluation, notMeasured, err error) {
	found, err := o.find(ctx, env)
	if err != nil {
		return nil, nil, err
	}
	device := deviceOptions{backend: o.backend, slots: 1}
	on, _, err := device.open()
	if err != nil {
		return nil, nil, err
	}
	options, err := env.dataOptions()
	if err != nil {
		return nil, nil, err
	}
	rows, err := data.OpenHeldOut(ctx, o.rows, options)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	env.note(rows.Info().Notes...)
	since := rows.Generation()
	var wrong []error
	for i, m := range found {
		what := "measuring " + m.name
		if len(found) > 1 {
			what = fmt.Sprintf("measuring model %d of %d", i+1, len(found))
		}
		counted := countedRows{rows, progress.PercentOf(env.terminal(), what)}
		e, err := o.one(ctx, m, on.backend, counted)
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", m.name, err))
			continue
		}
		list = append(list, e)
	}
	// The rows that were measured on must be those of the fingerprint.
	if err := rows.Verify(ctx, since); err != nil {
		return nil, nil, err
	}
	const most = 10
	if more := len(wrong) - most; more > 0 {
		wrong = append(wrong[:most], fmt.Errorf("and %d more models are not measured", more))
	}
	return list, errors.Join(wrong...), nil
}

// countedRows shows how many of the held-out rows are read.
type countedRows struct {
	*data.Set
	done func(done, total int64)
}

// Eval implements trainer.HeldOut.
func (r countedRows) Eval(row int64, x []float32) error {
	err := r.Set.Eval(row, x)
	r.done(row+int64(len(x)/r.Dim()), r.EvalRows())
	return err
}

// one measures a model.
func (o *evalOptions) one(
	ctx context.Context, of modelToMeasure, b trainer.Backend, rows countedRows,
) (report.Evaluation, error) {
	m, from, err := of.read(ctx)
	if err != nil {
		return report.Evaluation{}, err
	}
	if m.ActivationDim != rows.Dim() {
		return report.Evaluation{}, inputError{fmt.Errorf("it takes activations of width %d, and the rows of %s have %d: "+
			"give rows of the place that it was trained on", m.ActivationDim, o.rows.Source, rows.Dim())}
	}
	if o.k > 0 {
		m.K = o.k
	}
	if m.K > m.DictSize {
		return report.Evaluation{}, inputError{fmt.Errorf("--k %d is more than its %d latents", o.k, m.DictSize)}
	}
	metrics, err := trainer.EvaluateWeights(ctx, b, m.K, m.W, rows)
	if err != nil {
		return report.Evaluation{}, err
	}
	scale := 1.0
	switch {
	case o.normalize == "mean_square":
		if scale = 1 / math.Sqrt(rows.HeldOutMeanSquare()); !(scale > 0 && scale <= math.MaxFloat64) {
			return report.Evaluation{}, inputError{fmt.Errorf("--normalize: the mean squared norm of the rows is %g, which "+
				"cannot be scaled to 1", rows.HeldOutMeanSquare())}
		}
	case o.normalize == "" && of.result.Scale > 0:
		scale = of.result.Scale
	}
	return report.Evaluation{
		Model: of.name, Cell: of.result.Cell, Run: of.result.Run, Format: from,
		ActivationDim: m.ActivationDim, DictSize: m.DictSize, K: m.K,
		Metrics: metrics, Scale: scale, Rows: rows.Info(),
	}, nil
}

// find finds the models that the arguments name.
func (o *evalOptions) find(ctx context.Context, env *environment) (out []modelToMeasure, err error) {
	var l *ledger.Ledger
	seen := map[string]bool{}
	for _, arg := range o.of {
		if _, err := os.Stat(arg); err == nil || filepath.IsAbs(arg) {
			if err != nil {
				return nil, inputError{err}
			}
			out = append(out, modelToMeasure{name: arg, read: func(context.Context) (*models.Model, string, error) {
				m, from, err := models.Open(arg)
				if err != nil {
					err = inputError{err}
				}
				return m, from, err
			}})
			continue
		}
		if l == nil {
			if l, err = openLedger(ctx, o.location); err != nil {
				return nil, fmt.Errorf("%s: there is no such file or folder; runs: %w", arg, err)
			}
		}
		runs, err := o.runs(ctx, env, l, arg)
		if err != nil {
			return nil, err
		}
		for _, m := range runs {
			if !seen[m.result.Run] { // a run may be named, and its sweep too
				seen[m.result.Run] = true
				out = append(out, m)
			}
		}
	}
	return out, nil
}

// runs finds the finished runs of a sweep, or one run.
func (o *evalOptions) runs(
	ctx context.Context, env *environment, l *ledger.Ledger, arg string,
) (out []modelToMeasure, err error) {
	rows, chosen, err := findRuns(ctx, env, l, &o.selection, arg)
	if unknown := (*ledger.UnknownSweepError)(nil); errors.As(err, &unknown) {
		return nil, inputError{fmt.Errorf("%s: there is no such file or folder; %w", arg, err)}
	}
	if err != nil {
		return nil, err
	}
	trainedOn := func(i int) bool {
		return rows.Plan != nil && o.trainedOn(rows.Plan.DataOf(grid.Cell{Data: rows.Results[i].Set}).Data)
	}
	if slices.ContainsFunc(chosen, trainedOn) {
		env.note(fmt.Sprintf("%s: it was trained on rows of %s: these metrics are not of held-out rows",
			arg, o.rows.Source))
	}
	for _, i := range chosen {
		r := rows.Results[i]
		if r.Status != plan.Completed {
			continue
		}
		read := func(ctx context.Context) (*models.Model, string, error) {
			m, from, _, err := readRunModel(ctx, l, r.Run)
			return m, from, err
		}
		out = append(out, modelToMeasure{name: r.Run, result: r, read: read})
	}
	switch left := len(chosen) - len(out); {
	case len(out) == 0:
		return nil, fmt.Errorf("%s: it has no finished run: models are exported when a run ends", arg)
	case left > 0:
		env.note(fmt.Sprintf("%s: %d of %d runs have no result, and are left out", arg, left, len(chosen)))
	}
	return out, nil
}

// trainedOn says whether the rows are those of the source of data that a run trained on. Two tensors that have other
// names are other rows.
func (o *evalOptions) trainedOn(d trainer.DataSpec) bool {
	here, err := os.Getwd()
	otherTensor := d.Tensor != "" && o.rows.Tensor != "" && d.Tensor != o.rows.Tensor
	return err == nil && d.Source != "" && !otherTensor &&
		filepath.Clean(d.Source) == filepath.Clean(absoluteSource(o.rows.Source, here))
}

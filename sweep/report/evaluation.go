package report

import (
	"slices"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// An Evaluation is a model measured on rows that a person has chosen, whoever trained it.
type Evaluation struct {
	Model  string // as the person names it
	Cell   string // "" where the model is no run of the store; so is Run
	Run    string
	Format string // which tool's files were read, for people

	ActivationDim, DictSize, K int

	// Metrics are of activations as stored: l2_loss and l1 are without Scale, by which the table multiplies them.
	Metrics trainer.Metrics
	Scale   float64
	Rows    trainer.DataInfo
}

// EvaluationColumns lists the columns of a table of evaluations. Those that the results have too mean the same there.
// What depends on training has no value.
func EvaluationColumns() []table.Column {
	var out []table.Column
	for _, c := range evaluationColumns() {
		out = append(out, c.Column)
	}
	return out
}

// evaluationColumn is a column of which either get or of is set.
type evaluationColumn struct {
	table.Column
	get   func(e Evaluation) any
	of    *Column // of the results
	shown bool    // in a table for people, where there is a value
}

func evaluationColumns() []evaluationColumn {
	out := []evaluationColumn{
		{Column: text("model", "path of the model, or ID of its run"), shown: true,
			get: func(e Evaluation) any { return e.Model }},
		{Column: text("cell", "ID of the cell, of a run"), get: func(e Evaluation) any { return textOrNil(e.Cell) }},
		{Column: text("run", "ID of the run in the store"), get: func(e Evaluation) any { return textOrNil(e.Run) }},
		{Column: text("format", "the tool and the file that were read"),
			get: func(e Evaluation) any { return textOrNil(e.Format) }},
		{Column: whole("activation_dim", ""), get: func(e Evaluation) any { return int64(e.ActivationDim) }},
		{Column: whole("dict_size", ""), shown: true, get: func(e Evaluation) any { return int64(e.DictSize) }},
		{Column: whole("k", ""), shown: true, get: func(e Evaluation) any { return int64(e.K) }},
	}
	metrics := metricColumns()
	shown := []string{"l2_loss", "nmse", "cosine", "l0", "alive_fraction"} // of those that have values
	for i, c := range metrics {
		if c.Name != "threshold" { // a setting of the model here, which no metric depends on
			out = append(out, evaluationColumn{Column: c.Column, of: &metrics[i], shown: slices.Contains(shown, c.Name)})
		}
	}
	out = append(out,
		evaluationColumn{Column: float("scale", "what l2_loss and l1 multiply stored activations by: see --normalize"),
			shown: true, get: func(e Evaluation) any { return finiteOrNil(e.Scale) }},
		evaluationColumn{Column: text("data", "fingerprint of the rows, their number and max_norm"),
			get: func(e Evaluation) any { return textOrNil(e.Rows.Fingerprint) }},
		evaluationColumn{Column: whole("rows_left_out", "rows that --max-norm left out"),
			get: func(e Evaluation) any { return e.Rows.LeftOut }},
	)
	known := Columns()
	for i, c := range out {
		if j := slices.IndexFunc(known, func(k Column) bool { return k.Name == c.Name }); j >= 0 && c.Doc == "" {
			out[i].Column = known[j].Column
		}
		out[i].Unit = unitOf(c.Name)
	}
	return out
}

// Evaluations returns a table of evaluations, in their order. l2_loss is multiplied by scale², and l1 by scale.
func Evaluations(list []Evaluation) table.Table {
	columns := evaluationColumns()
	t := table.Table{Columns: EvaluationColumns(), Rows: make([][]any, len(list))}
	for i, e := range list {
		r := ledger.Result{Metrics: e.Metrics, Scale: e.Scale, Status: plan.Completed}
		r.Metrics.L2Loss *= e.Scale * e.Scale
		if v := r.Metrics.L1; v != nil {
			l1 := *v * e.Scale
			r.Metrics.L1 = &l1
		}
		for _, c := range columns {
			var v any
			switch {
			case slices.Contains(trainer.CountedInTraining(), c.Name):
			case c.Name == "mse":
				v = finiteOrNil(e.Metrics.L2Loss) // and not through scale², which may be too large or too small a number
			case c.of != nil:
				v = c.of.get(&r)
			default:
				v = c.get(e)
			}
			t.Rows[i] = append(t.Rows[i], v)
		}
	}
	return t
}

// EvaluationsForPeople returns such a table as people see it: with as many columns as fit a screen or, with all set,
// those that have a value. The IDs of runs are short.
func EvaluationsForPeople(t table.Table, all bool) (table.Table, error) {
	var shown []string
	for j, c := range evaluationColumns() {
		hasValue := slices.ContainsFunc(t.Rows, func(row []any) bool { return row[j] != nil })
		if hasValue && (c.shown || all && c.Kind != table.Ints) {
			shown = append(shown, c.Name)
		}
	}
	short := table.Table{Columns: t.Columns}
	model := t.Index("model")
	for i, row := range t.Rows {
		row = slices.Clone(row)
		if run, ok := t.Value(i, "run").(string); ok && row[model] == run {
			row[model] = shortID(run)
		}
		short.Rows = append(short.Rows, row)
	}
	return short.Select(shown)
}

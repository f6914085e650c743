package report

import (
	"fmt"
	"slices"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// CurveColumns describes the columns of Curves.
func CurveColumns() []table.Column {
	setting := func(name string) table.Column {
		c := whole(name, "setting of the run")
		c.Exact = true
		return c
	}
	out := []table.Column{
		text("sweep", "ID of the sweep"),
		text("cell", "ID of the cell"),
		setting("k"), setting("dict_size"), setting("seed"),
		whole("step", "steps trained before the point"),
		whole("tokens", "step × batch_size"),
		float("flops", "dense-equivalent, up to the step: 12·D·F·tokens"),
		float("lr", "learning rate of the step"),
		float("loss", "l2_loss + auxk_alpha · auxk_loss"),
		float("l2_loss", "mean ‖x̂−x‖² of the step's batch, as trained"),
		float("train_nmse", "l2_loss ÷ mean ‖x−x̄‖² of the held-out rows"),
		float("nmse", "held out, where it was measured; in a run's last row the metric of the results"),
		float("auxk_loss", "the recipe's AuxK loss of the step's batch, before auxk_alpha"),
		whole("dead_latents", "latents dead in the step; in a run's last row at its end"),
		float("grad_norm", "global, before the clip"),
	}
	for i := range out {
		out[i].Unit = unitOf(out[i].Name)
	}
	return out
}

// Curves returns the curves of the completed runs among the results as one table: a row for each point, in the order of
// the results and of the steps, and for each run a last row with what it ended with. read reads the curve of a run. The
// error wraps the one of read and names the run.
func Curves(rows Rows, read func(r ledger.Result) ([]trainer.Point, error)) (table.Table, error) {
	t := table.Table{Columns: CurveColumns()}
	for _, r := range rows.Results {
		if r.Status != plan.Completed {
			continue
		}
		points, err := read(r)
		if err != nil {
			return t, fmt.Errorf("curve of run %s: %w", r.Run, err)
		}
		t.Rows = append(t.Rows, curveRows(r, points)...)
	}
	return t, nil
}

func curveRows(r ledger.Result, points []trainer.Point) [][]any {
	var out [][]any
	c := r.Config
	row := func(step int64, rest ...any) {
		tokens := step * int64(c.BatchSize)
		out = append(out, append([]any{
			textOrNil(r.Sweep), r.Cell, int64(c.K), int64(c.DictSize), c.Seed, step, tokens, denseFlops(c, tokens),
		}, rest...))
	}
	for _, p := range points {
		var nmse, train, grad any
		if p.EvalNMSE != nil {
			nmse = finiteOrNil(*p.EvalNMSE)
		}
		if r.Metrics.NMSE != nil && r.Metrics.L2Loss > 0 {
			train = finiteOrNil(p.L2Loss * (*r.Metrics.NMSE / r.Metrics.L2Loss))
		}
		if p.GradNorm != 0 { // points of an earlier version have none
			grad = finiteOrNil(p.GradNorm)
		}
		row(p.Step, finiteOrNil(c.LRAt(p.Step)), finiteOrNil(p.Loss), finiteOrNil(p.L2Loss), train, nmse,
			finiteOrNil(p.AuxKLoss), int64(p.Dead), grad)
	}
	var nmse any
	if r.Metrics.NMSE != nil {
		nmse = finiteOrNil(*r.Metrics.NMSE)
	}
	row(int64(c.Steps), nil, nil, nil, nil, nmse, nil, int64(r.Metrics.DeadLatents), nil)
	return out
}

// lrSetting is the column of curves with the setting lr: their column lr has that of each step.
const lrSetting = "lr_setting"

// AddSettings adds the settings in which results differ to curves that lack them, so that the curves alone can be
// filtered and drawn by any axis. A run whose results are not among the given has no value there.
func AddSettings(curves, results *table.Table) {
	type key struct{ sweep, cell string }
	keyOf := func(t *table.Table, row int) key {
		sweep, _ := t.Value(row, "sweep").(string)
		cell, _ := t.Value(row, "cell").(string)
		return key{sweep, cell}
	}
	rowOf := map[key]int{}
	for i := range results.Rows {
		rowOf[keyOf(results, i)] = i
	}
	var from, to []int // indices of a setting's column in the results and in the curves
	for _, name := range Varying(results) {
		c := results.Columns[results.Index(name)]
		if name == "lr" {
			c.Name, c.Doc = lrSetting, "setting lr of the run"
		}
		if slices.ContainsFunc(CurveColumns(), func(have table.Column) bool { return have.Name == c.Name }) {
			continue
		}
		if curves.Index(c.Name) < 0 {
			curves.Columns = append(curves.Columns, c)
		}
		from, to = append(from, results.Index(name)), append(to, curves.Index(c.Name))
	}
	for i, row := range curves.Rows {
		row = append(row, make([]any, len(curves.Columns)-len(row))...)
		if r, ok := rowOf[keyOf(curves, i)]; ok {
			for n := range from {
				if row[to[n]] == nil {
					row[to[n]] = results.Rows[r][from[n]]
				}
			}
		}
		curves.Rows[i] = row
	}
}

// DropSettings returns curves without the columns that AddSettings adds: they are no measurements.
func DropSettings(curves table.Table) (table.Table, error) {
	var keep []string
	for _, c := range curves.Columns {
		own := slices.ContainsFunc(CurveColumns(), func(have table.Column) bool { return have.Name == c.Name })
		isSetting := func(have Column) bool { return have.group == groupSetting && have.Name == c.Name }
		added := c.Name == lrSetting || c.Name == plan.DataKey || slices.ContainsFunc(settingColumns(), isSetting)
		if own || !added {
			keep = append(keep, c.Name)
		}
	}
	return curves.Select(keep)
}

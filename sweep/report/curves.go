package report

import (
	"fmt"

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

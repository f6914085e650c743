package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/similarity"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// mccColumn is what addMCC adds.
func mccColumn() table.Column {
	return table.Column{Name: "mcc", Kind: table.Float, Doc: "mean over the runs that differ in seed alone: mean " +
		"largest cosine of a row of W_dec with a row of the other's, both ways, over 4,096 seeded latents"}
}

// addMCC adds the column mcc to results. It compares completed runs that are equal in all settings but the seed, and in
// their data. A run that occurs twice, because two sweeps have it, counts once. The value is missing where there is no
// other seed or no model in the store.
func addMCC(ctx context.Context, env *environment, at location, t *table.Table) error {
	if t.Index(mccColumn().Name) >= 0 {
		return inputError{errors.New("--mcc: the results have the column mcc already")}
	}
	l, err := openLedger(ctx, at)
	if err != nil {
		return fmt.Errorf("--mcc reads models: %w", err)
	}
	byRun := map[string]*float64{}
	groups := map[string][]similarity.Model{}
	var order []string
	for i := range t.Rows {
		run := runOf(t, i)
		seed, hasSeed := t.Value(i, "seed").(int64)
		if _, known := byRun[run]; known || t.Value(i, "status") != string(plan.Completed) || !hasSeed {
			continue
		}
		byRun[run] = nil
		key := settingsBut(t, i, "seed")
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], similarity.Model{
			Name: run, Seed: seed, Open: func(ctx context.Context) (io.ReadCloser, int64, error) {
				body, size, err := l.OpenWeights(ctx, run)
				if errors.Is(err, storage.ErrNotFound) {
					err = fmt.Errorf("%w: %w", similarity.ErrMissing, err)
				}
				return body, size, err
			},
		})
	}
	for n, key := range order {
		what := fmt.Sprintf("comparing models, group %d of %d", n+1, len(order))
		models := groups[key]
		values, err := similarity.MCC(ctx, models, runtime.GOMAXPROCS(0), progress.PercentOf(env.terminal(), what))
		if err != nil {
			return fmt.Errorf("mcc: %w", err)
		}
		for i, m := range models {
			byRun[m.Name] = values[i]
		}
	}
	t.Columns = append(t.Columns, mccColumn())
	for i := range t.Rows {
		var v any
		if p := byRun[runOf(t, i)]; p != nil && t.Value(i, "status") == string(plan.Completed) {
			v = *p
		}
		t.Rows[i] = append(t.Rows[i], v)
	}
	return nil
}

// runOf is the ID of a row's run in the store. Without the column it is the cell's.
func runOf(t *table.Table, row int) string {
	if run, ok := t.Value(row, "run").(string); ok {
		return run
	}
	cell, _ := t.Value(row, "cell").(string)
	return cell
}

// settingsBut prints a row's settings without one of them, and what the run trained on.
func settingsBut(t *table.Table, row int, without string) string {
	key := fmt.Sprintf("%q %q", t.Value(row, "data"), t.Value(row, "fingerprint"))
	for _, f := range trainer.Fields() {
		if f.Key != without {
			key += fmt.Sprintf(" %s=%v", f.Key, t.Value(row, f.Key))
		}
	}
	return key
}

package activities

import (
	"bytes"
	"context"
	"fmt"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/sweep/table"
)

// Collect writes a sweep's results to the store, one file for each format, and tells people that the sweep has ended.
// Of one that is canceled it notes before that its runs without result were canceled: the workflow has noted only those
// that it had begun.
//
// It may be ended at any moment. The next attempt reads from shards what this one has read, and does not begin anew.
func (a *Activities) Collect(ctx context.Context, sweep string, canceled bool) error {
	_, err := light(ctx, a, "collecting the results", func(ctx context.Context) (struct{}, error) {
		ctx, end := untilStop(ctx)
		defer end()
		return struct{}{}, interrupted(ctx, a.collect(ctx, sweep, canceled))
	})
	return err
}

func (a *Activities) collect(ctx context.Context, sweep string, canceled bool) error {
	a.forget(sweep) // it may have been extended
	h, err := a.header(ctx, sweep)
	if err != nil {
		return err
	}
	if canceled {
		if _, err := a.ledger.CancelRuns(ctx, h); err != nil {
			return err
		}
	}
	results, err := a.ledger.CollectResults(ctx, h)
	if err == nil {
		var renamed bool
		if renamed, err = a.rename(ctx, h, results); renamed && err == nil {
			results, err = a.ledger.CollectResults(ctx, h) // for shards of the results as they are now
		}
	}
	if err == nil {
		err = a.ledger.CountAuxK(ctx, results)
	}
	if err != nil {
		return err
	}
	rows := report.Rows{Plan: h, Results: results}
	rows.Tabulate()
	var b bytes.Buffer // of one after the other: of 100,000 runs JSON takes 200 MB
	for _, f := range table.Formats() {
		b.Reset()
		if err := report.Write(&b, f.Name, rows); err != nil {
			return fmt.Errorf("write %s: %w", f.Name, err)
		}
		if err := storage.PutBytes(ctx, a.store, ledger.ReportKey(sweep, "results."+f.Extension), b.Bytes()); err != nil {
			return err
		}
	}
	a.tellEnd(ctx, h, results, canceled)
	return nil
}

package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

// A Result is what one run came to. It is kept in the store under the run's ID,
// and only there: a workflow's history may be deleted without losing it.
type Result struct {
	Cell        string          `json:"cell"`
	Config      trainer.Config  `json:"config"`
	Metrics     trainer.Metrics `json:"metrics"`
	Status      plan.Status     `json:"status"`
	Error       string          `json:"error,omitempty"`
	Tokens      int64           `json:"tokens"`
	WallSeconds float64         `json:"wall_seconds"` // spent in training steps, over all attempts
	Data        string          `json:"data"`         // fingerprint
	LMName      string          `json:"lm_name,omitempty"`
	Layer       *int            `json:"layer,omitempty"`
	Submodule   string          `json:"submodule_name,omitempty"`
}

// NewResult returns the result of a cell that has a status and nothing else yet.
func NewResult(h *plan.Header, c grid.Cell, s plan.Status) Result {
	return Result{
		Cell: c.ID, Config: c.Config, Status: s, Data: h.Info.Fingerprint,
		LMName: h.Data.LMName, Layer: h.Data.Layer, Submodule: h.Data.SubmoduleName,
	}
}

// Result reads the result of a completed run. The error wraps
// storage.ErrNotFound if there is none, and storage.ErrCorrupt if it is damaged
// or another run's. A damaged one is read twice: it may have been misread.
func (l *Ledger) Result(ctx context.Context, run string) (r Result, err error) {
	key := ResultKey(run)
	for range 2 {
		r = Result{}
		err = storage.GetJSON(ctx, l.store, key, &r)
		if err == nil && (r.Status != plan.Completed || plan.CellOf(run) != r.Cell) {
			err = fmt.Errorf("%w: a result of cell %q, %s", storage.ErrCorrupt, r.Cell, r.Status)
			err = storage.Wrap("get", key, err)
		}
		if !errors.Is(err, storage.ErrCorrupt) {
			break
		}
	}
	return r, err
}

// StoreResult stores the result of a completed run, unless there is one: of
// several attempts the first to finish counts.
func (l *Ledger) StoreResult(ctx context.Context, run string, r Result) error {
	_, err := storage.PutJSONOnce(ctx, l.store, ResultKey(run), r)
	return err
}

// DeleteResult removes the result of a run, which is then trained again.
func (l *Ledger) DeleteResult(ctx context.Context, run string) error {
	return l.store.Delete(ctx, ResultKey(run))
}

// CompletedRuns lists the IDs of the runs that have a result. It does not read
// the results: one that is damaged counts.
func (l *Ledger) CompletedRuns(ctx context.Context) (map[string]bool, error) {
	objects, err := l.store.List(ctx, resultsPrefix)
	if err != nil {
		return nil, err
	}
	runs := make(map[string]bool, len(objects))
	for _, o := range objects {
		runs[strings.TrimSuffix(strings.TrimPrefix(o.Key, resultsPrefix), ".json")] = true
	}
	return runs, nil
}

// Results reads what every cell of a plan has come to, in the plan's order: its
// result, the note that it failed or was canceled, or that it is pending.
func (l *Ledger) Results(ctx context.Context, h *plan.Header) ([]Result, error) {
	out := []Result{}
	for i := range h.Chunks() {
		cells, err := l.Cells(ctx, h, i)
		if err != nil {
			return nil, err
		}
		for _, c := range cells {
			r, err := l.outcome(ctx, h, c)
			if err != nil {
				return nil, err
			}
			out = append(out, r)
		}
	}
	return out, nil
}

// outcome reads what a cell of a plan has come to.
func (l *Ledger) outcome(ctx context.Context, h *plan.Header, c grid.Cell) (Result, error) {
	r, err := l.Result(ctx, h.RunID(c.ID))
	if errors.Is(err, storage.ErrCorrupt) {
		r, err = NewResult(h, c, plan.Pending), nil
		r.Error = "its result in the store is damaged: sweep retry trains the run again"
	}
	if errors.Is(err, storage.ErrNotFound) {
		r, err = l.Failure(ctx, h.ID, c.ID)
	}
	if errors.Is(err, storage.ErrNotFound) {
		r, err = NewResult(h, c, plan.Pending), nil
	}
	// The names of the activations are those of this plan's grid. The sweep that
	// trained the run may have had others.
	r.LMName, r.Layer, r.Submodule = h.Data.LMName, h.Data.Layer, h.Data.SubmoduleName
	return r, err
}

// Unfinished counts the cells of a plan that have no result, or a damaged one.
func (l *Ledger) Unfinished(ctx context.Context, h *plan.Header) (int, error) {
	results, err := l.Results(ctx, h)
	n := 0
	for _, r := range results {
		if r.Status != plan.Completed {
			n++
		}
	}
	return n, err
}

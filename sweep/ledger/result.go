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
	Scale       float64         `json:"scale,omitzero"`
	Threshold   *float64        `json:"threshold,omitempty"` // in units of the activations as stored
	Semantics   int             `json:"semantics,omitempty"`
	trainer.Names

	// Results of an earlier version lack these.
	Spans     []Span `json:"spans,omitempty"`      // from step 0 to the end, in order
	PeakBytes int64  `json:"peak_bytes,omitempty"` // memory that training took on the device
	Class     string `json:"class,omitempty"`      // of the device that trained the last step
	EvalClass string `json:"eval_class,omitempty"` // of the device that measured the model
	Device    string `json:"device,omitempty"`     // its model, as it names itself
	Build     string `json:"build,omitempty"`      // of the program that trained the last step

	// Mean over the steps of min(k_aux, dead latents), 0 where auxk_alpha is 0. nil if not known: see CountAuxK.
	AuxKLatents *float64 `json:"auxk_latents,omitempty"`

	// Of the plan that asks, not of the run: they are not stored with the result.
	Sweep   string            `json:"-"` // ID
	Run     string            `json:"-"` // ID in the store
	Set     string            `json:"-"` // name of its data set; "" where the plan names none
	Written map[string]string `json:"-"` // settings that the grid gives as a fraction or a word; nil if not known
	Renamed bool              `json:"-"` // the stored result has other names
}

// A Span is a part of a run's training that one program did on one device, for this run alone or for several.
type Span struct {
	From    int64   `json:"from"`    // the first step, counted from 0
	To      int64   `json:"to"`      // the step behind the last
	Cells   int     `json:"cells"`   // runs that the steps were trained for; 1: this one alone
	Seconds float64 `json:"seconds"` // in training steps
	Class   string  `json:"class,omitempty"`
	Device  string  `json:"device,omitempty"`
	Build   string  `json:"build,omitempty"`
}

// SemanticsVersion returns the version of the definitions that the metrics follow.
// Results of before version 2 do not state it.
func (r Result) SemanticsVersion() int { return max(1, r.Semantics) }

// NewResult returns the result of a cell that has a status and nothing else yet.
func NewResult(h *plan.Header, c grid.Cell, s plan.Status) Result {
	d := h.DataOf(c)
	return Result{
		Semantics: trainer.SemanticsVersion,
		Cell:      c.ID, Config: c.Config, Status: s, Data: d.Info.Fingerprint, Scale: d.Info.Scale,
		Names: d.Data.Names, Set: d.Name,
	}
}

// Result reads the result of a completed run. The error wraps
// storage.ErrNotFound if there is none, and storage.ErrCorrupt if it is damaged
// or another run's, as storage.Read proves it.
func (l *Ledger) Result(ctx context.Context, run string) (r Result, err error) {
	return storage.Read(ctx, l.store, ResultKey(run), maxNote, func(b []byte) (Result, error) {
		return parseResult(b, run)
	})
}

// CertainResult is Result for a run that may be trained if it has no result: the error wraps
// storage.ErrNotFound only if a listing does not show one either.
func (l *Ledger) CertainResult(ctx context.Context, run string) (Result, error) {
	return New(storage.Certain(l.store)).Result(ctx, run)
}

// parseResult reads a stored result of a run. The error wraps storage.ErrCorrupt.
func parseResult(b []byte, run string) (Result, error) {
	r, err := storage.ParseJSON[Result](b)
	if err == nil {
		err = checkSeal(b)
	}
	if err == nil && (r.Status != plan.Completed || plan.CellOf(run) != r.Cell) {
		err = fmt.Errorf("%w: a result of cell %q, %s", storage.ErrCorrupt, r.Cell, r.Status)
	}
	return r, err
}

// StoreResult stores the result of a completed run, unless there is one: of
// several attempts the first to finish counts. The error wraps storage.ErrCorrupt if the
// one that is there is damaged.
func (l *Ledger) StoreResult(ctx context.Context, run string, r Result) error {
	b, err := sealed(r)
	if err != nil {
		return storage.Wrap("putnew", ResultKey(run), err)
	}
	if err = storage.PutNew(ctx, l.store, ResultKey(run), b); errors.Is(err, storage.ErrExists) {
		_, err = l.Result(ctx, run) // of another attempt, or of this one, if the answer got lost
	}
	return err
}

// RemoveDamagedResult removes the result of a run if it is damaged, which it proves
// anew: another attempt may have replaced the result since it was read. It reports whether
// it has removed one, and what that held, as far as it was read. The run is trained again.
func (l *Ledger) RemoveDamagedResult(ctx context.Context, run string) (removed bool, text []byte, err error) {
	_, err = storage.Read(ctx, l.store, ResultKey(run), maxNote, func(b []byte) (Result, error) {
		text = b
		return parseResult(b, run)
	})
	switch {
	case errors.Is(err, storage.ErrCorrupt):
		err = l.DeleteResult(ctx, run)
		return err == nil, text, err
	case errors.Is(err, storage.ErrNotFound):
		err = nil
	}
	return false, nil, err
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

// DamagedResult is the error of a run whose result is damaged. Its status is plan.Pending.
const DamagedResult = "its result in the store is damaged: a retry of the sweep trains the run again"

// outcome reads what a cell of a plan has come to. text is what is stored of its result; nil if it has no sound one.
func (l *Ledger) outcome(ctx context.Context, h *plan.Header, c grid.Cell) (r Result, text []byte, err error) {
	run := h.RunID(c.ID)
	r, err = storage.Read(ctx, l.store, ResultKey(run), maxNote, func(b []byte) (r Result, err error) {
		if r, err = parseResult(b, run); err == nil {
			text = b
		}
		return r, err
	})
	if errors.Is(err, storage.ErrCorrupt) {
		r, err = NewResult(h, c, plan.Pending), nil
		r.Error = DamagedResult
	}
	if errors.Is(err, storage.ErrNotFound) {
		r, err = l.note(ctx, h.ID, c.ID)
		if errors.Is(err, storage.ErrCorrupt) {
			r, err = NewResult(h, c, plan.Failed), nil
			r.Error = damagedNote
		}
	}
	if errors.Is(err, storage.ErrNotFound) {
		r, err = NewResult(h, c, plan.Pending), nil
	}
	return r.of(h, c), text, err
}

// of returns a stored result as a plan that has its cell asks for it.
func (r Result) of(h *plan.Header, c grid.Cell) Result {
	d := h.DataOf(c)
	if r.Scale == 0 && r.Data == d.Info.Fingerprint {
		r.Scale = d.Info.Scale // an older version stored the result; the fingerprint covers the scale
	}
	// The names of the activations are those of this plan's grid. The sweep that
	// trained the run may have had others.
	r.Renamed = !r.Names.Equal(d.Data.Names)
	r.Names = d.Data.Names
	r.Sweep, r.Run, r.Set, r.Written = h.ID, h.RunID(c.ID), d.Name, c.Written
	return r
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

package activities

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/export"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer/models"
)

// rename brings the names of a plan to the stored results and models that it shares with earlier ones, whose grids
// named the activations otherwise. Where a sweep that was submitted later has other names again, those stay. It reports
// whether it has changed any.
func (a *Activities) rename(ctx context.Context, h *plan.Header, results []ledger.Result) (renamed bool, err error) {
	var stale []ledger.Result
	for _, r := range results {
		if r.Renamed && r.Status == plan.Completed {
			stale = append(stale, r)
		}
	}
	if len(stale) == 0 {
		return false, nil
	}
	later, err := a.ledger.NamedLater(ctx, h)
	if err != nil {
		return false, err
	}
	stale = slices.DeleteFunc(stale, func(r ledger.Result) bool { return later[r.Run] })
	return len(stale) > 0, forEach(ctx, len(stale), func(ctx context.Context, i int) error {
		return a.renameRun(ctx, h, stale[i])
	})
}

// renameRun writes the files of a run's model that hold names. The weights hold none and stay. The result is written
// last: where it has the names, the model has them too. A store shows each file as it was or as it is, never a part.
func (a *Activities) renameRun(ctx context.Context, h *plan.Header, r ledger.Result) error {
	folder, err := a.ledger.ModelFS(ctx, r.Run)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	if formats := formatsIn(folder); len(formats) > 0 { // without weights there is no model
		m := describe(h, r)
		if other, err := hasOtherNorms(folder); err != nil {
			return err
		} else if other {
			stored, _, err := models.Read(folder)
			if err != nil {
				return err
			}
			m.W = stored.W
		}
		files, err := models.TextFiles(m, formats...)
		if err != nil {
			return err
		}
		result, err := export.ResultFile(r)
		if err != nil {
			return err
		}
		if err := a.putModel(ctx, r.Run, append(files, result)); err != nil {
			return err
		}
	}
	return a.ledger.SetNames(ctx, r.Run, r.Names)
}

// hasOtherNorms reports whether a model's folder says that not all rows of W_dec are at unit norm. Then its README says
// more, for which the weights are read.
func hasOtherNorms(folder fs.FS) (bool, error) {
	b, err := fs.ReadFile(folder, "cfg.json")
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	var config struct {
		Normalized *bool `json:"normalize_decoder"`
	}
	sound := json.Unmarshal(b, &config) == nil // one that is damaged is written anew
	return err == nil && sound && config.Normalized != nil && !*config.Normalized, err
}

// formatsIn lists the formats whose weights lie in a folder of the store, which may be nil.
func formatsIn(folder fs.FS) (out []models.Format) {
	if folder == nil {
		return nil
	}
	for _, f := range models.Formats() {
		if _, err := fs.Stat(folder, f.Weights()); err == nil {
			out = append(out, f)
		}
	}
	return out
}

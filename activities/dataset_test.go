package activities

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

// A sweep is not trained on data that have changed since it was planned.
func TestDataChanged(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, func(p *plan.Plan) {
		other := *p.Data.Synthetic
		other.Seed++
		p.Data.Synthetic = &other
	}))
	err := w.train()
	wantType(t, err, "DataChanged", false)
	if err != nil && !strings.Contains(err.Error(), w.plan.Info.Fingerprint) {
		t.Errorf("%v does not name the fingerprint", err)
	}
	wantType(t, w.train(), "DataChanged", false) // the data are looked at again
}

// A worker that has read where the data lay looks for it where it lies now.
func TestMovedData(t *testing.T) {
	p := makePlan(t, nil)
	there := p.Data
	p.Data = trainer.DataSpec{Source: filepath.Join(t.TempDir(), "nowhere")}
	w := submit(t, openDir(t), p)
	if err := w.train(); err == nil {
		t.Fatal("trained without data")
	}
	p.Data = there
	if err := ledger.New(w.store).StorePlan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := w.train(); err != nil {
		t.Error(err)
	}
}

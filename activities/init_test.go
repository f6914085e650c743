package activities

import (
	"errors"
	"strings"
	"testing"

	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
)

// planFromModel plans gridYAML with cells that begin from a model, which it returns with its hash.
func planFromModel(t *testing.T) (*plan.Plan, trainer.Params, string) {
	t.Helper()
	g, err := grid.Parse("grid.yaml", []byte(strings.Replace(gridYAML, "train: {", "train: {init: m, ", 1)),
		grid.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := data.Open(t.Context(), g.Data, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	weights := trainer.Init(trainer.Config{Recipe: "upstream", ActivationDim: 6, DictSize: 24, Seed: 99}).W
	for i := range weights.BDec {
		weights.BDec[i] = float32(i)
	}
	hash, err := ledger.InitHash(6, 24, &weights)
	if err != nil {
		t.Fatal(err)
	}
	g.SetInits(map[string]grid.Init{"m": {Hash: hash, ActivationDim: 6, DictSize: 24}})
	p, err := plan.New(g, set.Info(), plan.Estimates{})
	if err != nil {
		t.Fatal(err)
	}
	return p, weights, hash
}

// The state before step 0 is that of the model, with biases in the units that training sees.
func TestBeginning(t *testing.T) {
	p, weights, hash := planFromModel(t)
	w := submit(t, openDir(t), p)
	c, of := p.Cells[1].Config, &run{header: &p.Header, cell: p.Cells[1]}
	if _, err := w.beginning(of)(t.Context(), c); err == nil || !strings.Contains(err.Error(), "submit the grid") {
		t.Errorf("without the model: %v", err)
	}
	if err := w.ledger.StoreInit(t.Context(), hash, 6, 24, &weights); err != nil {
		t.Fatal(err)
	}
	s, err := w.beginning(of)(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	scale := p.Info.Scale
	if scale == 1 {
		t.Error("the data are not scaled: the case is too easy")
	}
	for i, b := range weights.BDec {
		if want := float32(float64(b) * scale); s.W.BDec[i] != want {
			t.Errorf("b_dec[%d] is %v, want %v", i, s.W.BDec[i], want)
		}
	}
	if s.Step != 0 || s.Threshold != -1 || s.FirstDead != -1 || s.W.WEnc[5] != weights.WEnc[5] || s.M.WEnc[5] != 0 {
		t.Errorf("step %d, threshold %v, first dead step %d", s.Step, s.Threshold, s.FirstDead)
	}
	c.Init = ""
	if s, err = w.beginning(of)(t.Context(), c); err != nil || s.W.BDec[1] != 0 || s.W.WEnc[5] == weights.WEnc[5] {
		t.Errorf("without init the weights are not drawn: %v", err)
	}
}

// A run that begins from a model waits while the store lacks it, and has the same bits however often it is stopped.
func TestRunFromModel(t *testing.T) {
	p, weights, hash := planFromModel(t)
	store := openDir(t)
	w := submit(t, store, p)
	err := w.train()
	if err == nil || !strings.Contains(err.Error(), "not in the store: submit the grid again") {
		t.Fatalf("without the model: %v", err)
	}
	if app := (*temporal.ApplicationError)(nil); !errors.As(err, &app) || app.NonRetryable() {
		t.Errorf("without the model the run fails for good: %v", err)
	}
	if err := w.ledger.StoreInit(t.Context(), hash, 6, 24, &weights); err != nil {
		t.Fatal(err)
	}
	body := string(read(t, store, ledger.InitKey(hash)))
	if err := storage.PutBytes(t.Context(), store, ledger.InitKey(hash), []byte("x"+body[1:])); err != nil {
		t.Fatal(err)
	}
	if err := w.train(); err == nil || !strings.Contains(err.Error(), "damaged: submit the grid again") {
		t.Fatalf("with a damaged model: %v", err)
	}
	if err := w.ledger.StoreInit(t.Context(), hash, 6, 24, &weights); err != nil {
		t.Fatal(err)
	}
	w.finish()
	want := w.model()

	again := openDir(t)
	submit(t, again, p)
	if err := ledger.New(again).StoreInit(t.Context(), hash, 6, 24, &weights); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{1, 2, 21} {
		trainUntil(t, again, p, n)
	}
	last := newWorker(t, again, p)
	last.finish()
	wantSame(t, "the model", last.model(), want)
	if string(want) == string(undisturbedModel(t)) {
		t.Error("it is the model of a run that begins from drawn weights")
	}
}

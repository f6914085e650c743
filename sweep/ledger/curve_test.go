package ledger

import (
	"math"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

// The mean of min(k_aux, dead latents) weighs a point by the steps to the next one.
func TestCountAuxK(t *testing.T) {
	curve := []trainer.Point{{Step: 0}, {Step: 1, Dead: 3}, {Step: 2, Dead: 9}, {Step: 6, Dead: 2}}
	c := trainer.Config{AuxKAlpha: 0.5, KAux: 4, Steps: 10}
	dead := int64(0)
	if got, want := AuxKLatents(c, &dead, curve), (0.+3+4*4+4*2)/10; got == nil || !(math.Abs(*got-want) <= 1e-12) {
		t.Errorf("%v, want %v", got, want)
	}
	for _, curve := range [][]trainer.Point{nil, {{Step: 10, Dead: 1}}, {{Step: 99, Dead: 1}, {Step: 30}}} {
		if got := AuxKLatents(c, &dead, curve); got != nil {
			t.Errorf("%v, which has no step of the run: %v", curve, *got)
		}
	}

	s, ctx := storagetest.NewMemory(), t.Context()
	for run, content := range map[string]string{
		"good": `[{"step":0,"dead_latents":2}]`, "damaged": `[{`, "empty": `[]`,
	} {
		if err := storage.PutBytes(ctx, s, ModelKey(run, CurveFile), []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	result := func(run string) Result {
		return Result{Run: run, Status: plan.Completed, Config: c, Metrics: trainer.Metrics{FirstDeadStep: &dead}}
	}
	results := []Result{
		result("good"), result("damaged"), result("empty"), result("gone"), result("damaged"), result("damaged"),
		result("good"), result("damaged"),
	}
	results[4].Config.AuxKAlpha = 0        // AuxK is off
	results[5].Metrics.FirstDeadStep = nil // and has nothing to do
	results[6].Status = plan.Failed        // and has not ended
	two, none := 2., 0.
	results[7].AuxKLatents = &two // which its result tells: no curve is read
	want := []*float64{&two, nil, nil, nil, &none, &none, nil, &two}
	if err := New(s).CountAuxK(ctx, results); err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if (r.AuxKLatents == nil) != (want[i] == nil) || want[i] != nil && *r.AuxKLatents != *want[i] {
			t.Errorf("result %d: %v, want %v", i, r.AuxKLatents, want[i])
		}
	}
}

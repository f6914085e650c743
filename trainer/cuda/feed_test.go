//go:build cuda

package cuda

import (
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// A batch staged while another is trained on is not copied again.
func TestStagedOnce(t *testing.T) {
	b, err := New(0)
	if err != nil {
		t.Fatal(err)
	}
	c := trainer.Config{
		Recipe: "corrected", ActivationDim: 6, DictSize: 20, K: 2, BatchSize: 9, Steps: 10, DecayStart: 9, LR: 1e-3, KAux: 3,
		DeadFeatureThreshold: 100, Precision: "f32",
	}
	made, err := b.New(c, trainer.Init(c))
	if err != nil {
		t.Fatal(err)
	}
	m := made.(*model)
	defer m.Close()
	var x [3][]float32
	for i := range x {
		if x[i], err = m.Buffer(); err != nil {
			t.Fatal(err)
		}
		for j := range x[i] {
			x[i][j] = float32(trainer.Uniform(1, uint64(i), uint64(j)))
		}
	}
	holds := func(i int) bool { return m.feed.holds[0] == &x[i][0] || m.feed.holds[1] == &x[i][0] }
	stage := func(i int) {
		if err := m.Stage(x[i]); err != nil {
			t.Fatal(err)
		}
	}
	for step := range 6 {
		now, next := step%3, (step+1)%3
		if step > 0 && !holds(now) {
			t.Fatalf("step %d: its batch is not staged", step)
		}
		stage(next)
		if step > 0 && !holds(now) {
			t.Fatalf("step %d: the batch after it has taken its place", step)
		}
		if _, err := m.Step(x[now]); err != nil {
			t.Fatal(err)
		}
		if holds(now) || !holds(next) {
			t.Fatalf("step %d: the places hold %v", step, m.feed.holds)
		}
	}
	if err := m.Stage(make([]float32, len(x[0]))); err == nil {
		t.Error("memory that is not pinned is staged")
	}
	if err := m.Stage(nil); err != nil || holds(0) {
		t.Errorf("what is staged is kept: %v", err)
	}
}

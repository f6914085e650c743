//go:build cuda

package cuda

import (
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// A batch that was uploaded during the step before it is not uploaded once more.
func TestUploadedOnce(t *testing.T) {
	b, err := New(0)
	if err != nil {
		t.Fatal(err)
	}
	c := trainer.Config{
		Recipe: "corrected", ActivationDim: 6, DictSize: 20, K: 2, BatchSize: 9, Steps: 10, DecayStart: 9, LR: 1e-3, KAux: 3,
		DeadFeatureThreshold: 100, Precision: "f32",
	}
	made, err := b.New(c, trainer.Init(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	m := made.(*model)
	defer m.Close()
	if err := m.prepareUploads(); err != nil {
		t.Fatal(err)
	}
	x := m.uploads.buffers
	for i := range x {
		numbers := driver.View[float32](x[i])
		for j := range numbers {
			numbers[j] = float32(trainer.Uniform(1, uint64(i), uint64(j)))
		}
	}
	waits := func(i int) bool {
		return m.uploads.slots[0].waiting == &x[i][0] || m.uploads.slots[1].waiting == &x[i][0]
	}
	for step := range 6 {
		now, next := step%3, (step+1)%3
		if step > 0 && !waits(now) {
			t.Fatalf("step %d: its batch is not on the GPU", step)
		}
		if err := m.uploadAhead(x[next]); err != nil {
			t.Fatal(err)
		}
		if step > 0 && !waits(now) {
			t.Fatalf("step %d: the next batch has taken its slot", step)
		}
		if _, err := m.trainBatch(x[now]); err != nil {
			t.Fatal(err)
		}
		if waits(now) || !waits(next) {
			t.Fatalf("step %d: the slots are %v", step, m.uploads.slots)
		}
	}
	if err := m.prepareUploads(); err != nil || waits(0) {
		t.Errorf("a batch that no step trained on is kept: %v", err)
	}
}

//go:build cuda

package cuda

import (
	"errors"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// TestMemory compares the memory that a model asks for with Bytes, and checks that Close frees all of it. The driver's
// free memory would not do: it changes in parts of 2 MiB, and also where the driver loads a kernel.
func TestMemory(t *testing.T) {
	made, err := New(0)
	if err != nil {
		t.Fatal(err)
	}
	b := made.(*backend)
	c := trainer.Config{
		ActivationDim: 24, DictSize: 200, K: 5, AuxKAlpha: 1.0 / 32, KAux: 12, Steps: 60, DecayStart: 30, BatchSize: 160,
		LR: 3e-3, ThresholdStartStep: 3, ThresholdBeta: 0.999, DeadFeatureThreshold: 900,
	}
	for _, recipe := range trainer.Recipes() {
		c.Recipe = recipe.Name
		checkMemory(t, b, c)
	}
	c.ActivationDim, c.DictSize, c.BatchSize = 4096, 1<<20, 1<<16
	_, err = b.New(c, &trainer.State{}, nil)
	if !errors.Is(err, trainer.ErrMemory) ||
		!strings.Contains(err.Error(), "MiB needed") || !strings.Contains(err.Error(), "free") {
		t.Errorf("a model too large: %v", err)
	}
}

// checkMemory opens and closes a model of c.
func checkMemory(t *testing.T, b *backend, c trainer.Config) {
	t.Helper()
	if err := b.open(); err != nil {
		t.Fatal(err)
	}
	asked := b.dev.Allocated()
	m, err := b.New(c, trainer.Init(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	need, _ := b.Bytes(c)
	if took := b.dev.Allocated() - asked; took != need {
		t.Errorf("%s, %s: a model asks for %d bytes, Bytes says %d", c.Recipe, c.Precision, took, need)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if kept := b.dev.Allocated() - asked; kept != 0 {
		t.Errorf("%s, %s: %d bytes are not given back", c.Recipe, c.Precision, kept)
	}
}

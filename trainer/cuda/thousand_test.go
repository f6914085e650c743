//go:build cuda

package cuda_test

import (
	"bytes"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/backendtest"
	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// TestThousandSteps takes a thousand steps twice, or thirty in the emulation: both runs must
// give the same bits.
func TestThousandSteps(t *testing.T) {
	b := open(t)
	infos, err := driver.Devices()
	if err != nil {
		t.Fatal(err)
	}
	c, steps := config("corrected"), int64(30)
	if infos[0].Memory > 8<<30 {
		c.ActivationDim, c.DictSize, c.K, c.KAux, c.BatchSize, steps = 256, 4096, 32, 128, 512, 1000
		c.Steps, c.DecayStart, c.DeadFeatureThreshold = 1000, 800, 100_000
	}
	var states [2]*trainer.State
	for i := range states {
		m := newModel(t, b, c, trainer.Init(c), backendtest.Data(c))
		backendtest.Train(t, m, steps)
		states[i] = saved(t, m, c)
	}
	weights := func(s *trainer.State) (all [][]byte) {
		for _, p := range []trainer.Params{s.W, s.M, s.V} {
			p.Each(c.ActivationDim, c.DictSize, func(_ string, _ []int, v []float32) { all = append(all, driver.Bytes(v)) })
		}
		return append(all, driver.Bytes(s.SinceFired))
	}
	one, two := weights(states[0]), weights(states[1])
	for i := range one {
		if !bytes.Equal(one[i], two[i]) {
			t.Errorf("array %d of the state differs", i)
		}
	}
}

package cuda_test

import (
	"errors"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda"
)

// What no GPU can train is known without one, and in a program without CUDA too.
func TestLimits(t *testing.T) {
	fits := trainer.Config{
		Recipe: "corrected", ActivationDim: 16384, DictSize: 1 << 20, K: 64, AuxKAlpha: 1, KAux: 64, BatchSize: 1 << 22,
	}
	for name, x := range map[string]struct {
		change func(*trainer.Config)
		ok     bool
	}{
		"fits":         {func(c *trainer.Config) {}, true},
		"bf16":         {func(c *trainer.Config) { c.Precision = "bf16" }, false},
		"wide":         {func(c *trainer.Config) { c.ActivationDim++ }, false},
		"many":         {func(c *trainer.Config) { c.K = 448 }, false},
		"just fits":    {func(c *trainer.Config) { c.K = 447 }, true},
		"no AuxK":      {func(c *trainer.Config) { c.K, c.AuxKAlpha = 511, 0 }, true},
		"inert AuxK":   {func(c *trainer.Config) { c.K, c.Recipe = 511, "reference" }, true},
		"k_aux over F": {func(c *trainer.Config) { c.K, c.KAux, c.DictSize = 100, 1<<19, 200 }, true},
		"many of AuxK": {func(c *trainer.Config) { c.KAux = 500 }, false},
	} {
		c := fits
		x.change(&c)
		if err := cuda.Unsupported(c); (err == nil) != x.ok || err != nil && !errors.Is(err, trainer.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

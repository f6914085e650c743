package cpu_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/backendtest"
	"github.com/topksweep/sweep/trainer/cpu"
)

func TestMain(m *testing.M) { os.Exit(backendtest.Main(m)) }

func TestBackend(t *testing.T) {
	eachPath(t, func(t *testing.T) { backendtest.Run(t, cpu.New(2)) })
}

// smallest returns the smallest config that a model can be made for.
func smallest() trainer.Config {
	return trainer.Config{Recipe: "corrected", ActivationDim: 1, DictSize: 1, K: 1, KAux: 1, BatchSize: 1}
}

// eachPath runs a test on every instruction path that this machine can run, or on the
// one that the environment forces.
func eachPath(t *testing.T, test func(t *testing.T)) {
	forced := os.Getenv(cpu.PathVariable)
	for _, path := range cpu.Paths() {
		if forced != "" && forced != path {
			continue
		}
		t.Run(path, func(t *testing.T) {
			t.Setenv(cpu.PathVariable, path)
			c := smallest()
			if _, err := cpu.New(1).New(c, trainer.NewState(c), nil); err != nil {
				if forced != "" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			test(t)
		})
	}
}

func TestPrecisionOfGPUs(t *testing.T) {
	c := smallest()
	c.Precision = "bf16"
	if _, err := cpu.New(1).New(c, trainer.NewState(c), nil); !errors.Is(err, trainer.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
}

func TestUnsupported(t *testing.T) {
	fits := smallest()
	fits.ActivationDim, fits.DictSize, fits.BatchSize, fits.K = 1<<20, 1<<24, 1<<22, 511
	for name, x := range map[string]struct {
		change func(*trainer.Config)
		ok     bool
	}{
		"fits":      {func(c *trainer.Config) {}, true},
		"f32":       {func(c *trainer.Config) { c.Precision = "f32" }, true},
		"tf32":      {func(c *trainer.Config) { c.Precision = "tf32" }, false},
		"bf16":      {func(c *trainer.Config) { c.Precision = "bf16" }, false},
		"many":      {func(c *trainer.Config) { c.K = 512 }, false},
		"many AuxK": {func(c *trainer.Config) { c.AuxKAlpha, c.KAux = 1, 512 }, false},
		"no AuxK":   {func(c *trainer.Config) { c.KAux = 512 }, true},
	} {
		c := fits
		x.change(&c)
		if err := cpu.New(1).Unsupported(c); (err == nil) != x.ok || err != nil && !errors.Is(err, trainer.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnknownPath(t *testing.T) {
	t.Setenv(cpu.PathVariable, "avx1024")
	c := smallest()
	_, err := cpu.New(1).New(c, trainer.NewState(c), nil)
	if err == nil || !strings.Contains(err.Error(), "SWEEP_CPU=avx1024") {
		t.Errorf("error %v", err)
	}
}

package cpu

import (
	"fmt"
	"os"
	"runtime"

	"github.com/topksweep/sweep/trainer"
)

// PathVariable is the environment variable that forces the instruction path to
// one of Paths. A word that is unknown, or that this machine cannot run, is an
// error of New.
const PathVariable = "SWEEP_CPU"

type backend struct{ threads int }

// New returns the backend running on that many threads; 0 stands for
// GOMAXPROCS at the time that a model is made.
func New(threads int) trainer.Backend { return backend{threads} }

func (backend) Name() string { return "cpu" }

// Bytes returns what New allocates: weights, moments and gradients, the
// buffers of one batch, and as host memory one more State for a checkpoint.
func (b backend) Bytes(c trainer.Config) (device, host int64) {
	z := sizesOf(c)
	params := 2*int64(z.fPad)*int64(z.dPad) + int64(z.fPad) + int64(z.dPad)
	bytes := 4*4*params + 24*int64(z.fPad)
	rows, k := int64(z.b), int64(c.K)
	if c.AuxKAlpha > 0 {
		k += min(int64(c.KAux), int64(c.DictSize))
	}
	bytes += rows * (4*4*int64(z.dPad) + 16*k)
	bytes += int64(groups) * int64(z.dPad) * 8
	return bytes, c.StateBytes()
}

func (b backend) New(c trainer.Config, s *trainer.State, data trainer.Batches) (trainer.Model, error) {
	kern, err := kernelsFor(os.Getenv(PathVariable))
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	recipe, err := trainer.RecipeByName(c.Recipe)
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	if c.ActivationDim < 1 || c.DictSize < 1 || c.BatchSize < 1 || c.K < 1 || c.K > c.DictSize || c.KAux < 1 {
		return nil, fmt.Errorf("cpu: config is not resolved and valid: %+v", c)
	}
	if c.Precision != "" && c.Precision != "f32" {
		return nil, fmt.Errorf("cpu: precision %s: %w: use f32, or the CUDA backend", c.Precision, trainer.ErrUnsupported)
	}
	return newModel(c, recipe, s, data, kern, b.crew())
}

// crew returns the number of threads.
func (b backend) crew() int {
	if b.threads < 1 {
		return runtime.GOMAXPROCS(0)
	}
	return b.threads
}

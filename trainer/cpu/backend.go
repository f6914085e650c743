package cpu

import (
	"fmt"
	"math"
	"os"
	"runtime"

	"github.com/topksweep/sweep/trainer"
)

// PathVariable is the environment variable that forces the instruction path to one of
// Paths. With an unknown path, or one that this machine cannot run, no model is made:
// Backend.New returns an error.
const PathVariable = "SWEEP_CPU"

type backend struct{ threads int }

// New returns the backend that runs on that many threads. With 0 a model runs on as
// many as GOMAXPROCS says when it is made.
func New(threads int) trainer.Backend { return backend{threads} }

func (backend) Name() string { return "cpu" }

// Bytes implements trainer.Backend. device is what Backend.New allocates: weights,
// moments and gradients, and the buffers of one batch. host is one more State, for a
// checkpoint.
func (b backend) Bytes(c trainer.Config) (device, host int64) {
	z := sizesOf(c)
	params := 2*int64(z.fPad)*int64(z.dPad) + int64(z.fPad) + int64(z.dPad)
	bytes := 4*4*params + 24*int64(z.fPad)
	rows, k := int64(z.b), int64(c.K)
	if c.AuxKAlpha > 0 {
		k += min(int64(c.KAux), int64(c.DictSize))
	}
	bytes += rows * (4*4*int64(z.dPad) + 16*k)
	bytes += int64(maxParts) * int64(z.dPad) * 8
	return bytes, c.StateBytes()
}

// Unsupported implements trainer.Backend.
func (backend) Unsupported(c trainer.Config) error {
	if err := trainer.CheckPrecision(c); err != nil {
		return err
	}
	k := c.K
	if c.AuxKAlpha > 0 {
		k = max(k, min(c.KAux, c.DictSize))
	}
	if n := int64(c.BatchSize) * int64(k); n > math.MaxInt32 { // byLatent counts in int32
		return fmt.Errorf("batch_size %d with %d latents a token: %w, which counts up to 2^31: use a smaller batch_size",
			c.BatchSize, k, trainer.ErrUnsupported)
	}
	return nil
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
	if err := b.Unsupported(c); err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	return newModel(c, recipe, s, data, kern, b.threadCount())
}

// threadCount returns the number of threads of a model that is made now.
func (b backend) threadCount() int {
	if b.threads < 1 {
		return runtime.GOMAXPROCS(0)
	}
	return b.threads
}

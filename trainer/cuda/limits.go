package cuda

import (
	"fmt"
	"math"

	"github.com/topksweep/sweep/trainer"
)

// maxWidth is the widest row that the kernels hold: 4 · kernels.MaxD4.
const maxWidth = 16384

// Unsupported returns an error that wraps trainer.ErrUnsupported where no GPU can train c,
// and nil where one that has the memory can. It needs neither a GPU nor the tag cuda, so that
// a sweep can be planned anywhere.
func Unsupported(c trainer.Config) error {
	if err := trainer.CheckPrecision(c); err != nil {
		return err
	}
	if c.ActivationDim > maxWidth {
		return fmt.Errorf(
			"activation_dim %d: %w, whose kernels hold rows of up to %d: use the CPU backend, or narrower data",
			c.ActivationDim, trainer.ErrUnsupported, maxWidth)
	}
	k := c.K + auxLatents(c)
	if n := int64(c.BatchSize) * int64(k); n > math.MaxInt32 {
		return fmt.Errorf(
			"batch_size %d with %d latents a token: %w, whose kernels count up to 2^31: use a smaller batch_size",
			c.BatchSize, k, trainer.ErrUnsupported)
	}
	return nil
}

// auxLatents returns the latents that AuxK selects for a token; 0 without AuxK and where the
// recipe's is inert.
func auxLatents(c trainer.Config) int {
	recipe, err := trainer.RecipeByName(c.Recipe)
	if err != nil || recipe.InertAuxK || !(c.AuxKAlpha > 0) {
		return 0
	}
	return min(c.KAux, c.DictSize)
}

//go:build cuda

package cuda

import (
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/kernels"
)

const (
	// productBytes bounds the memory for products. Where those of a batch do not fit, it is
	// encoded in several blocks of rows, each of which is large enough to fill the GPU.
	productBytes = 2 << 30

	// auxBounds bounds the number of bounds that AuxK has room for. With more it selects for fewer
	// rows at a time.
	auxBounds = 8 << 20

	// segmentBytes bounds the memory for the sums of segments.
	segmentBytes = 256 << 20
)

// sizes are the dimensions of a model and of its buffers.
type sizes struct {
	b, d, f, k int
	d4         int  // float4 of a padded row; even, so that rows in float16 are aligned
	fPad       int  // f, rounded up to a multiple of 64
	kAux       int  // latents that AuxK selects for a token; 0 without AuxK and in recipe reference
	inert      bool // AuxK is that of recipe reference
	zeroPicks  bool // a latent that is selected with the value 0 has fired
	rows       int  // tokens encoded at a time
	bounds     int  // bounds of groups of latents that there is room for
	room       int  // candidates of a token, in the largest selection for a whole batch
	hits       int  // at most
	segment    int  // hits of a segment
	extras     int  // segments beyond each latent's first, at most
}

func sizesOf(c trainer.Config) sizes {
	recipe, _ := trainer.RecipeByName(c.Recipe)
	z := sizes{
		b: c.BatchSize, d: c.ActivationDim, f: c.DictSize, k: c.K,
		zeroPicks: recipe.FiredAtZero,
	}
	z.d4 = 2 * over(z.d, 8)
	z.fPad = 64 * over(z.f, 64)
	z.inert = c.AuxKAlpha > 0 && recipe.InertAuxK
	z.kAux = auxLatents(c)
	z.rows = min(z.b, max(1, productBytes/2/z.fPad))
	z.bounds = max(z.rows*(z.fPad/kernels.GroupFor(z.k, z.f, z.f)), z.fPad)
	if z.kAux > 0 {
		z.bounds = max(z.bounds, min(z.rows*z.fPad, auxBounds))
	}
	z.room = kernels.Room(max(z.k, z.kAux), z.f)
	z.hits = z.b * (z.k + z.kAux)
	z.segment = 64
	for z.hits/z.segment*z.d4*32 > segmentBytes {
		z.segment *= 2
	}
	z.extras = z.hits / z.segment
	return z
}

// over returns n / per, rounded up.
func over(n, per int) int { return (n + per - 1) / per }

// width is the number of float32 of a padded row.
func (z sizes) width() int { return 4 * z.d4 }

// candidates is how many candidates there is room for: those of a whole batch, or those of
// one token among all latents, so that Encode can select any number.
func (z sizes) candidates() int { return max(z.rows*z.room, kernels.Room(z.f, z.f)) }

// selected is how many activations there is room for in the result of a selection.
func (z sizes) selected() int { return max(z.b*z.k, z.f) }

// biases is the number of biases, padding included: b_enc and b_dec.
func (z sizes) biases() int { return z.fPad + z.width() }

// pinned is the host memory that a model keeps pinned, in bytes. Training takes two batches
// more where it uploads them.
func (z sizes) pinned() int64 {
	return exchangeBytes + 2*transferBytes + 8*int64(z.b) + 4*int64(z.b)*int64(z.d)
}

// exchangeBytes is the pinned memory for a StepInput and a StepTotals: one half for each.
const exchangeBytes = 4096

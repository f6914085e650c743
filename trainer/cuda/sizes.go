//go:build cuda

package cuda

import (
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/kernels"
)

const (
	// chunkBytes is the size of a chunk of pre-activations. A chunk stays in the L2 cache
	// (40 MB on A100, 50 MB on H100 and H200) until topk_chunk has read it, and is large
	// enough for its product to fill the GPU.
	chunkBytes = 32 << 20

	// encodeRows is how many tokens are encoded at a time.
	encodeRows = 8192

	// segmentBytes bounds the memory for the sums of segments.
	segmentBytes = 256 << 20
)

// sizes are the dimensions of a model and of its buffers.
type sizes struct {
	b, d, f, k int
	d4         int  // float4 of a padded row; even, so that rows in bfloat16 are aligned
	fPad       int  // f, rounded up to a multiple of 64
	kAux       int  // latents that AuxK selects for a token; 0 without AuxK and in recipe reference
	inert      bool // AuxK is that of recipe reference
	zeroPicks  bool // a latent that is selected with the value 0 has fired
	bf16       bool
	rows       int // tokens encoded at a time
	chunk      int // latents of a chunk, a multiple of 128
	room       int // candidates of a token, in the largest selection for a whole batch
	hits       int // at most
	segment    int // hits of a segment
	extras     int // segments beyond each latent's first, at most
}

func sizesOf(c trainer.Config) sizes {
	recipe, _ := trainer.RecipeByName(c.Recipe)
	z := sizes{
		b: c.BatchSize, d: c.ActivationDim, f: c.DictSize, k: c.K,
		zeroPicks: recipe.FiredAtZero, bf16: c.Precision == "bf16",
	}
	z.d4 = 2 * over(z.d, 8)
	z.fPad = 64 * over(z.f, 64)
	z.inert = c.AuxKAlpha > 0 && recipe.InertAuxK
	z.kAux = auxLatents(c)
	z.rows = min(z.b, encodeRows)
	z.chunk = min(128*over(z.f, 128), max(1024, chunkBytes/4/z.rows/128*128))
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

//go:build cuda

package cuda

import (
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
	"github.com/topksweep/sweep/trainer/cuda/kernels"
)

// chunkBytes is the size of a chunk of pre-activations: small enough to stay in
// the L2 cache (40 MB on A100, 50 MB on H100 and H200) until the sieve has read
// it, large enough for its product to fill the GPU.
const chunkBytes = 32 << 20

// blockRows is how many tokens are encoded at a time.
const blockRows = 8192

// spareBytes bounds the sums of latents' further segments.
const spareBytes = 256 << 20

// stagingBytes is the size of each of two pinned buffers for states.
const stagingBytes = 8 << 20

// sizes are the shapes of a model.
type sizes struct {
	b, d, f, k int
	d4         int  // float4 in a padded row; even, so that rows of bfloat16 are aligned
	fPad       int  // multiple of 64
	kAux       int  // 0: AuxK takes no latents of its own
	inert      bool // the reference's AuxK
	zeroPicks  bool // zeros chosen count as firing
	bf16       bool
	rows       int // encoded at a time
	chunk      int // latents in a chunk, multiple of 128
	room       int // of the widest sieve over rows
	hits       int // at most
	segment    int
	extras     int // at most
}

func sizesOf(c trainer.Config) sizes {
	recipe, _ := trainer.RecipeByName(c.Recipe)
	z := sizes{b: c.BatchSize, d: c.ActivationDim, f: c.DictSize, k: c.K, zeroPicks: recipe.FiredAtZero, bf16: c.Precision == "bf16"}
	z.d4 = 2 * over(z.d, 8)
	z.fPad = 64 * over(z.f, 64)
	if c.AuxKAlpha > 0 {
		z.inert = recipe.InertAuxK
		if !z.inert {
			z.kAux = min(c.KAux, z.f)
		}
	}
	z.rows = min(z.b, blockRows)
	z.chunk = min(128*over(z.f, 128), max(1024, chunkBytes/4/z.rows/128*128))
	z.room = kernels.Room(max(z.k, z.kAux), z.f)
	z.hits = z.b * (z.k + z.kAux)
	z.segment = 64
	for z.hits/z.segment*z.d4*32 > spareBytes {
		z.segment *= 2
	}
	z.extras = z.hits / z.segment
	return z
}

func over(n, per int) int { return (n + per - 1) / per }

// sieveKeys is the number of candidates that fit the sieve: those of a batch, or
// one row of all latents, so that Encode can choose any number.
func (z sizes) sieveKeys() int { return max(z.rows*z.room, kernels.Room(z.f, z.f)) }

// chosen is the number of activations that fit the output of a selection.
func (z sizes) chosen() int { return max(z.b*z.k, z.f) }

// pinned is the host memory that a model keeps pinned; training takes two
// batches more where it uploads them.
func (z sizes) pinned() int64 { return 2*stagingBytes + 4*int64(z.b)*int64(z.d) + 8*int64(z.b) + 4096 }

// An arena hands out parts of one allocation. It starts at 0 to learn the size.
type arena struct{ at int64 }

func (a *arena) take(n int, bytes int) driver.Ptr {
	p := driver.Ptr(a.at)
	a.at += (int64(n)*int64(bytes) + 255) / 256 * 256
	return p
}

// params are the parameters, moments or gradients. b_enc and b_dec lie one after
// the other, so that they are updated together.
type params struct{ wEnc, wDec, bEnc, bDec driver.Ptr } // [F,D4] [F,D4] [fPad] [4·D4]

func (z sizes) biases() int { return z.fPad + 4*z.d4 }

func placeParams(a *arena, z sizes) params {
	p := params{wEnc: a.take(z.f, 16*z.d4), wDec: a.take(z.f, 16*z.d4), bEnc: a.take(z.biases(), 4)}
	p.bDec = p.bEnc.Add(4 * int64(z.fPad))
	return p
}

// buffers are where everything lies on the GPU.
type buffers struct {
	w, m, v, g params
	encBF      driver.Ptr // [F,D4] W_enc in bfloat16
	unit       driver.Ptr // [F] factor of each row of W_dec before use
	since      driver.Ptr // [F] int64
	dead       driver.Ptr // [F] bytes
	dying      driver.Ptr // [F] bytes
	list       driver.Ptr // [F] dying latents
	hits       driver.Ptr // [F] counts
	zeroPicks  driver.Ptr // [F] counts, right behind hits
	start      driver.Ptr // [F+1]
	allowed    driver.Ptr // [F] bytes: Encode's
	norm2      driver.Ptr // [F] float64
	scan       driver.Ptr

	x         [2]driver.Ptr // [B,D]
	rows      driver.Ptr    // [B] int64: numbers of a table's rows
	centred   driver.Ptr    // [B,D4]
	centredBF driver.Ptr
	residual  driver.Ptr // [B,D4]
	left      driver.Ptr // [B,D4]
	least     driver.Ptr // [B]
	l2        driver.Ptr // [B] float64
	left2     driver.Ptr // [B] float64
	spread2   driver.Ptr // [B] float64

	pre           driver.Ptr // [rows,chunk]
	bits, latents driver.Ptr // [sieveKeys]
	count, floors driver.Ptr // [rows]
	acts, chosen  driver.Ptr // [B,K]
	auxActs       driver.Ptr // [B,kAux]
	auxChosen     driver.Ptr
	gathered      driver.Ptr // [chunk,D4]
	gatheredBias  driver.Ptr

	token, act             driver.Ptr // [hits] as scattered
	tokenInOrder, inOrder  driver.Ptr // [hits]
	extra                  driver.Ptr // [extras] pairs
	spare, spareBias       driver.Ptr
	part, encPart          driver.Ptr // [MaxParts,4·D4] float64
	mean, variance         driver.Ptr // [4·D4] float64
	sums, biasNorm2, moved driver.Ptr
	step, totals           driver.Ptr
}

// place lays the buffers out.
func place(a *arena, z sizes) *buffers {
	width := 4 * z.d4
	b := &buffers{
		w: placeParams(a, z), m: placeParams(a, z), v: placeParams(a, z), g: placeParams(a, z),
		unit: a.take(z.f, 4), since: a.take(z.f, 8), dead: a.take(z.f, 1), dying: a.take(z.f, 1), list: a.take(z.f, 4),
		start: a.take(z.f+1, 4), allowed: a.take(z.f, 1), norm2: a.take(z.f, 8), scan: a.take(1, int(kernels.ScanBytes(z.f))),
		x: [2]driver.Ptr{a.take(z.b, 4*z.d), a.take(z.b, 4*z.d)}, rows: a.take(z.b, 8), centred: a.take(z.b, 4*width), residual: a.take(z.b, 4*width),
		least: a.take(z.b, 4), l2: a.take(z.b, 8),
		pre: a.take(z.rows, 4*z.chunk), bits: a.take(z.sieveKeys(), 4), latents: a.take(z.sieveKeys(), 4),
		count: a.take(z.rows, 4), floors: a.take(z.rows, 4), acts: a.take(z.chosen(), 4), chosen: a.take(z.chosen(), 4),
		token: a.take(z.hits, 4), act: a.take(z.hits, 4), tokenInOrder: a.take(z.hits, 4), inOrder: a.take(z.hits, 4),
		extra: a.take(z.extras, 8), spare: a.take(z.extras, 8*width), spareBias: a.take(z.extras, 4),
		part: a.take(kernels.MaxParts, 8*width), encPart: a.take(kernels.MaxParts, 8*width), mean: a.take(width, 8), variance: a.take(width, 8),
		sums: a.take(1, kernels.SumBytes), biasNorm2: a.take(kernels.BiasParts(width), 8), moved: a.take(2, 8),
		step: a.take(1, 256), totals: a.take(1, 256),
	}
	b.hits = a.take(z.fPad, 4)
	if z.zeroPicks {
		b.zeroPicks = a.take(z.fPad, 4)
	}
	if z.bf16 {
		b.encBF, b.centredBF = a.take(z.f, 2*width), a.take(z.b, 2*width)
	}
	if z.kAux > 0 || z.inert {
		b.left, b.left2, b.spread2 = a.take(z.b, 4*width), a.take(z.b, 8), a.take(z.b, 8)
	}
	if z.kAux > 0 {
		b.auxActs, b.auxChosen = a.take(z.b*z.kAux, 4), a.take(z.b*z.kAux, 4)
		b.gathered, b.gatheredBias = a.take(z.chunk, 4*width), a.take(z.chunk, 4)
	}
	return b
}

//go:build cuda

package cuda

import (
	"github.com/topksweep/sweep/trainer/cuda/driver"
	"github.com/topksweep/sweep/trainer/cuda/kernels"
)

// An arena hands out parts of one allocation. One that starts at 0 measures how large the
// allocation must be.
type arena struct{ at int64 }

// take returns the address of n items of that many bytes each.
func (a *arena) take(n int, bytes int) driver.Ptr {
	p := driver.Ptr(a.at)
	a.at += (int64(n)*int64(bytes) + 255) / 256 * 256
	return p
}

// params are the parameters, or their moments or gradients. b_dec lies right after b_enc, so
// that one kernel updates both.
type params struct {
	wEnc, wDec driver.Ptr // [F,D4]
	bEnc       driver.Ptr // [fPad]
	bDec       driver.Ptr // [4·D4]
}

func (a *arena) params(z sizes) params {
	p := params{wEnc: a.take(z.f, 4*z.width()), wDec: a.take(z.f, 4*z.width()), bEnc: a.take(z.biases(), 4)}
	p.bDec = p.bEnc.Add(4 * int64(z.fPad))
	return p
}

// buffers are the addresses of all arrays on the GPU, in the order of the phases that write
// them. Matrices over D have padded rows of D4 float4. Those that a model does not need are 0.
type buffers struct {
	// The training state.
	w, m, v    params
	sinceFired driver.Ptr // [F] int64
	totals     driver.Ptr // *kernels.StepTotals; its threshold belongs to the state

	// Computed from the weights whenever these change.
	encHalf     driver.Ptr // [fPad,D4] W_enc in float16; rows of zeros follow
	encRounding driver.Ptr // [F] how its rows were rounded
	decScale    driver.Ptr // [F] factor that brings each row of W_dec to unit norm before use

	// Input of a step.
	input   driver.Ptr    // *kernels.StepInput
	batches [2]driver.Ptr // [B,D] this batch and the next one
	rows    driver.Ptr    // [B] int64: numbers of the batch's rows in the data set

	// initBDec, which also uses aux.mean, aux.variance, l2 and residualSums.
	moved driver.Ptr // [2] float64

	// centre
	centred       driver.Ptr // [B,D4] x − b_dec
	centredHalf   driver.Ptr // [B,D4] the same in float16
	tokenRounding driver.Ptr // [B] how its rows were rounded

	// encodeBatch. AuxK and Encode select with the same buffers.
	pre           driver.Ptr // [rows,fPad] products in float16
	bounds        driver.Ptr // [bounds] pairs of float32: of groups of latents
	undecided     driver.Ptr // [1+rows] int32
	candidates    candidates
	allowed       driver.Ptr // [F] bytes: the latents that Encode selects among
	acts, latents driver.Ptr // [B,K] kept activations
	hits          driver.Ptr // [fPad] int32: hits of each latent; backward leaves them at 0
	zeroPicks     driver.Ptr // [fPad] int32; countFired leaves them at 0
	smallest      driver.Ptr // [B] smallest positive activation, or +Inf

	// countFired
	dead driver.Ptr // [F] bytes

	// decodeBatch
	residual     driver.Ptr // [B,D4] x − x̂
	l2           driver.Ptr // [B] float64: its squared norm
	residualSums driver.Ptr // [MaxParts,4·D4] float64: its column sums

	// auxLoss
	aux auxBuffers

	// backward
	group       groupBuffers
	g           params
	latentNorm2 driver.Ptr // [F] float64: squared norm of each latent's gradients
	segmentSums driver.Ptr // [extras,2,D4]
	segmentBias driver.Ptr // [extras]
	encoderSums driver.Ptr // [MaxParts,4·D4] float64: column sums of b_enc's gradient · W_enc
	biasNorm2   driver.Ptr // [BiasParts] float64
	stepSums    driver.Ptr // SumBytes, for sumTotals
}

// candidates are what may be among a selection's k largest.
type candidates struct {
	values, latents driver.Ptr // [candidates] float32, int32
}

// auxBuffers are those of AuxK. In recipe reference only residual, error2, mean and variance
// are in use.
type auxBuffers struct {
	acts, latents  driver.Ptr // [B,kAux]
	residual       driver.Ptr // [B,D4] what AuxK leaves of the residual
	error2         driver.Ptr // [B] float64: its squared norm
	spread2        driver.Ptr // [B] float64: squared distance of the residual from its mean
	mean, variance driver.Ptr // [4·D4] float64
}

// groupBuffers are the hits grouped by latent (kernels/group.cu).
type groupBuffers struct {
	sums                     driver.Ptr // ScanBytes
	start                    driver.Ptr // [F+1] int32
	extra                    driver.Ptr // [extras] pairs of int32
	token, act               driver.Ptr // [hits] in any order inside a latent
	orderedToken, orderedAct driver.Ptr // [hits] in order of token
}

// layOut takes all buffers from an arena.
func layOut(a *arena, z sizes) *buffers {
	b, row := &buffers{}, 4*z.width() // row: bytes of a padded row

	b.w, b.m, b.v = a.params(z), a.params(z), a.params(z)
	b.sinceFired = a.take(z.f, 8)
	b.totals = a.take(1, int(kernels.StepTotalsBytes))

	b.decScale = a.take(z.f, 4)
	b.encHalf = a.take(z.fPad, row/2)
	b.encRounding = a.take(z.f, kernels.LatentRoundingBytes)

	b.input = a.take(1, int(kernels.StepInputBytes))
	b.batches = [2]driver.Ptr{a.take(z.b, 4*z.d), a.take(z.b, 4*z.d)}
	b.rows = a.take(z.b, 8)

	b.moved = a.take(2, 8)

	b.centred, b.centredHalf = a.take(z.b, row), a.take(z.b, row/2)
	b.tokenRounding = a.take(z.b, kernels.TokenRoundingBytes)

	b.pre = a.take(z.rows, 2*z.fPad)
	b.bounds, b.undecided = a.take(z.bounds, 8), a.take(1+z.rows, 4)
	b.candidates = candidates{values: a.take(z.candidates(), 4), latents: a.take(z.candidates(), 4)}
	b.allowed = a.take(z.f, 1)
	b.acts, b.latents = a.take(z.selected(), 4), a.take(z.selected(), 4)
	b.hits = a.take(z.fPad, 4)
	if z.zeroPicks {
		b.zeroPicks = a.take(z.fPad, 4)
	}
	b.smallest = a.take(z.b, 4)

	b.dead = a.take(z.f, 1)

	b.residual, b.l2 = a.take(z.b, row), a.take(z.b, 8)
	b.residualSums = a.take(kernels.MaxParts, 2*row)

	b.aux.mean, b.aux.variance = a.take(z.width(), 8), a.take(z.width(), 8)
	if z.kAux > 0 || z.inert {
		b.aux.residual, b.aux.error2, b.aux.spread2 = a.take(z.b, row), a.take(z.b, 8), a.take(z.b, 8)
	}
	if z.kAux > 0 {
		b.aux.acts, b.aux.latents = a.take(z.b*z.kAux, 4), a.take(z.b*z.kAux, 4)
	}

	b.group = groupBuffers{
		sums: a.take(1, int(kernels.ScanBytes(z.f))), start: a.take(z.f+1, 4), extra: a.take(z.extras, 8),
		token: a.take(z.hits, 4), act: a.take(z.hits, 4),
		orderedToken: a.take(z.hits, 4), orderedAct: a.take(z.hits, 4),
	}
	b.g = a.params(z)
	b.latentNorm2 = a.take(z.f, 8)
	b.segmentSums, b.segmentBias = a.take(z.extras, 2*row), a.take(z.extras, 4)
	b.encoderSums = a.take(kernels.MaxParts, 2*row)
	b.biasNorm2 = a.take(kernels.BiasParts(z.width()), 8)

	b.stepSums = a.take(1, kernels.SumBytes)
	return b
}

package trainer

import "slices"

// Params are the parameters of one autoencoder, or one Adam moment of each.
type Params struct {
	WEnc []float32 // [F,D], row f = latent f
	BEnc []float32 // [F]
	WDec []float32 // [F,D], row f = latent f
	BDec []float32 // [D]
}

// NewParams returns zeroed Params of width d with f latents.
func NewParams(d, f int) Params {
	return Params{
		WEnc: make([]float32, f*d), BEnc: make([]float32, f),
		WDec: make([]float32, f*d), BDec: make([]float32, d),
	}
}

// Each calls fn for each tensor in a fixed order, with its name in checkpoints
// and exports and its shape.
func (p *Params) Each(d, f int, fn func(name string, shape []int, v []float32)) {
	fn("W_enc", []int{f, d}, p.WEnc)
	fn("b_enc", []int{f}, p.BEnc)
	fn("W_dec", []int{f, d}, p.WDec)
	fn("b_dec", []int{d}, p.BDec)
}

// State is everything that training changes. Two runs with equal State, Config and
// data go on with equal bits; the position in the data follows from Step.
type State struct {
	Step       int64   // steps done; the next one to train
	W, M, V    Params  // weights, Adam's first and second moments
	SinceFired []int64 // [F] tokens since each latent fired
	Threshold  float32 // moving average of the smallest positive kept activation; −1 = unset
	FirstDead  int64   // the first step in which a latent was dead; −1 = none so far
	Curve      []Point // the loss curve so far
}

// NewState returns a zeroed State for c, before the weights are drawn.
func NewState(c Config) *State {
	d, f := c.ActivationDim, c.DictSize
	return &State{
		W: NewParams(d, f), M: NewParams(d, f), V: NewParams(d, f),
		SinceFired: make([]int64, f), Threshold: -1, FirstDead: -1,
	}
}

// HasMoments says that s has moments. A model that only encodes needs none (Backend.New).
func (s *State) HasMoments() bool { return s.M.WEnc != nil || s.V.WEnc != nil }

// SameShape says that s and o are states of models of the same sizes, with moments.
func (s *State) SameShape(o *State) bool {
	same := func(a, b *Params) bool {
		return a.WEnc != nil && len(a.WEnc) == len(b.WEnc) && len(a.BEnc) == len(b.BEnc) &&
			len(a.WDec) == len(b.WDec) && len(a.BDec) == len(b.BDec)
	}
	return same(&s.W, &o.W) && same(&s.M, &o.M) && same(&s.V, &o.V) && len(s.SinceFired) == len(o.SinceFired)
}

// CopyFrom makes s a copy of o, which has its shape.
func (s *State) CopyFrom(o *State) {
	for _, p := range []struct{ to, from *Params }{{&s.W, &o.W}, {&s.M, &o.M}, {&s.V, &o.V}} {
		copy(p.to.WEnc, p.from.WEnc)
		copy(p.to.BEnc, p.from.BEnc)
		copy(p.to.WDec, p.from.WDec)
		copy(p.to.BDec, p.from.BDec)
	}
	copy(s.SinceFired, o.SinceFired)
	s.Step, s.Threshold, s.FirstDead = o.Step, o.Threshold, o.FirstDead
	s.Curve = slices.Clone(o.Curve)
}

// StoredThreshold returns the threshold in units of the activations as they are
// stored, which training saw multiplied by scale: a latent of the exported model is
// kept where its activation exceeds it. It is nil where the recipe has no threshold
// or none is set yet.
func (s *State) StoredThreshold(r Recipe, scale float64) *float64 {
	if !r.Threshold || !(s.Threshold >= 0) {
		return nil
	}
	return quotient(float64(s.Threshold), scale)
}

// Stats are what one step reports. They describe the step before its update, except MaxSinceFired and Threshold, which
// are those after it.
type Stats struct {
	Loss          float64 // l2_loss + auxk_alpha · auxk_loss
	L2Loss        float64 // mean over the batch of the squared norm of the error
	AuxKLoss      float64 // before auxk_alpha
	LR            float64 // as used in this step
	GradNorm      float64 // global over the four parameters, before the clip
	Dead          int     // latents dead in this step
	MaxSinceFired int64   // the largest tokens since fired after this step
	Threshold     float64 // after this step
}

// Point is one point of the loss curve.
type Point struct {
	Step     int64   `json:"step"`
	Loss     float64 `json:"loss"`
	L2Loss   float64 `json:"l2_loss"`
	AuxKLoss float64 `json:"auxk_loss"`
	Dead     int     `json:"dead_latents"`

	// Points of checkpoints that an earlier version wrote lack these.
	GradNorm float64  `json:"grad_norm,omitempty"` // global, before the clip
	EvalNMSE *float64 `json:"eval_nmse,omitempty"` // held out, where OnHeldOut has the step
}

// OnCurve reports whether the loss curve has a point at step: every step at
// first, then about 64 points per doubling. It depends on the step alone, so
// that runs of different lengths share the points of a shared prefix.
func OnCurve(step int64) bool {
	stride := int64(1)
	for step/stride >= 128 {
		stride *= 2
	}
	return step%stride == 0
}

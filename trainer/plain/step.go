package plain

import "github.com/topksweep/sweep/trainer"

// A Model is one autoencoder in training.
type Model struct {
	Config trainer.Config
	Recipe trainer.Recipe

	Step         int64   // steps done
	W, M, V      Params  // weights, Adam's first and second moments
	SinceFired_F []int64 // tokens since each latent fired
	Threshold    float64 // moving average of the smallest kept activation; -1: none yet
}

// Params are one number for each parameter: the weights, a moment or a gradient.
type Params struct {
	Enc_FD    [][]float64
	EncBias_F []float64
	Dec_FD    [][]float64
	DecBias_D []float64 // b_dec: subtracted before encoding, added after decoding
}

// Train takes one step on a batch.
func (m *Model) Train(x_BD [][]float64) trainer.Stats {
	if m.Step == 0 && m.Config.Init == "" {
		m.W.DecBias_D = GeometricMedian(x_BD)
	}
	if !m.Recipe.NormaliseLast {
		unitRows(m.W.Dec_FD)
	}
	pass := m.forward(x_BD, nil)
	g := m.backward(x_BD, pass)
	norm := m.clipAndProject(g)
	rate := m.Config.LRAt(m.Step)
	m.adam(g, rate)
	if m.Recipe.NormaliseLast {
		unitRows(m.W.Dec_FD)
	}
	m.SinceFired_F = pass.sinceFired_F
	m.averageThreshold(pass)
	m.Step++

	stats := trainer.Stats{
		Loss: pass.loss, L2Loss: pass.l2, AuxKLoss: pass.auxK, LR: rate, GradNorm: norm, Dead: pass.nDead,
		Threshold: m.Threshold,
	}
	for _, n := range m.SinceFired_F {
		stats.MaxSinceFired = max(stats.MaxSinceFired, n)
	}
	return stats
}

// Gradients returns the loss's gradients at the present weights, before they are
// clipped and projected. It changes nothing.
func (m *Model) Gradients(x_BD [][]float64) Params {
	at := *m
	at.W = clone(m.W)
	if !m.Recipe.NormaliseLast {
		unitRows(at.W.Dec_FD)
	}
	return at.backward(x_BD, at.forward(x_BD, nil))
}

// New returns a model that goes on from s. Moments that s lacks are 0.
func New(c trainer.Config, s *trainer.State) (*Model, error) {
	recipe, err := trainer.RecipeByName(c.Recipe)
	if err != nil {
		return nil, err
	}
	if !s.HasMoments() {
		none := trainer.NewParams(c.ActivationDim, c.DictSize)
		at := *s
		at.M, at.V = none, none
		s = &at
	}
	return &Model{
		Config: c, Recipe: recipe, Step: s.Step, Threshold: float64(s.Threshold),
		W: widen(c, s.W), M: widen(c, s.M), V: widen(c, s.V), SinceFired_F: append([]int64(nil), s.SinceFired...),
	}, nil
}

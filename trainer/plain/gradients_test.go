package plain

import (
	"math"
	"slices"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// A gradient is what the loss changes by when a weight does. Each weight is moved by
// ±1e-6; dead latents are there, and what AuxK detaches is held still.
func TestGradientsAgainstFiniteDifferences(t *testing.T) {
	for _, recipe := range trainer.Recipes() {
		t.Run(recipe.Name, func(t *testing.T) {
			m, x_BD := gradientCase(t, recipe.Name)
			base := m.forward(x_BD, nil)
			if base.nDead == 0 || !(base.auxK > 0) {
				t.Fatalf("%d dead latents and AuxK %v: the case exercises nothing", base.nDead, base.auxK)
			}
			g := m.Gradients(x_BD)
			all := 0.0 // the largest gradient of all tensors
			for _, row := range g.rows() {
				all = max(all, largest(row))
			}
			for i, tensor := range g.tensors() {
				weights := m.W.tensors()[i]
				most := min(1e-7*all, 1e-6*largest(slices.Concat(tensor...)))
				for j, row := range tensor {
					for k, got := range row {
						const h = 1e-6
						at := weights[j][k]
						weights[j][k] = at + h
						up := m.forward(x_BD, base.detached).loss
						weights[j][k] = at - h
						down := m.forward(x_BD, base.detached).loss
						weights[j][k] = at
						if want := (up - down) / (2 * h); !(math.Abs(got-want) <= most) {
							t.Fatalf("tensor %d, row %d, column %d: the gradient is %v, want %v within %v", i, j, k, got, want, most)
						}
					}
				}
			}
			reached := 0
			for f, dead := range base.dead_F {
				if dead && g.EncBias_F[f] != 0 {
					reached++
				}
			}
			if (reached > 0) == recipe.InertAuxK {
				t.Errorf("AuxK reaches %d dead latents", reached)
			}
		})
	}
}

// gradientCase is a model in mid-training, some of whose latents are dead, and a
// batch for it.
func gradientCase(t *testing.T, recipe string) (*Model, [][]float64) {
	t.Helper()
	c := trainer.Config{
		Recipe: recipe, ActivationDim: 12, DictSize: 40, K: 5, AuxKAlpha: 0.25, KAux: 6, DecayStart: 30, Steps: 60,
		BatchSize: 16, LR: 3e-3, DeadFeatureThreshold: 300, Seed: 7, Precision: "f32",
	}
	s := trainer.Init(c)
	s.Step = 5
	for f := range s.SinceFired {
		s.W.BEnc[f] = float32(0.1*trainer.Uniform(1, 2, uint64(f)) - 0.05)
		if f%3 == 1 {
			s.SinceFired[f] = c.DeadFeatureThreshold
			s.W.BEnc[f] -= 0.4 // hold it back, so that it stays dead
		}
	}
	for j := range s.W.BDec {
		s.W.BDec[j] = float32(0.2 * trainer.Uniform(1, 3, uint64(j)))
	}
	m, err := New(c, s)
	if err != nil {
		t.Fatal(err)
	}
	if !m.Recipe.NormaliseLast {
		unitRows(m.W.Dec_FD) // as a step begins
	}
	x := make([]float32, c.BatchSize*c.ActivationDim)
	for i := range x {
		x[i] = float32(2*trainer.Uniform(3, 1, uint64(i)) - 1)
	}
	return m, Rows(x, c.ActivationDim)
}

// tensors returns the rows of each tensor: encoder, its bias, decoder, its bias.
func (p Params) tensors() [4][][]float64 {
	return [4][][]float64{p.Enc_FD, {p.EncBias_F}, p.Dec_FD, {p.DecBias_D}}
}

// largest returns the largest absolute value; NaN if there is one.
func largest(v []float64) float64 {
	most := 0.0
	for _, x := range v {
		most = max(most, math.Abs(x))
	}
	return most
}

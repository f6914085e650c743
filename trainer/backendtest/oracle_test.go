package backendtest

import (
	"math"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// The oracle's gradients against central differences of its own loss, with dead
// latents present and constants held as the recipes detach them.
func TestOracleAgainstFiniteDifferences(t *testing.T) {
	for _, recipe := range recipes() {
		t.Run(recipe, func(t *testing.T) {
			c, s, x32 := gradientCase(recipe)
			x := widen(x32)
			o := newOracle(c, s)
			base := o.forward(x, nil)
			if base.nDead == 0 || !(base.auxk > 0) {
				t.Fatalf("%d dead latents and AuxK %v: the case exercises nothing", base.nDead, base.auxk)
			}
			g := o.gradients(x, base)
			for i, w := range o.w.each() {
				numeric := make([]float64, len(w))
				for j := range w {
					const h = 1e-6
					at := w[j]
					w[j] = at + h
					up := o.forward(x, base.frozen).loss
					w[j] = at - h
					down := o.forward(x, base.frozen).loss
					w[j] = at
					numeric[j] = (up - down) / (2 * h)
				}
				nearAll(t, []string{"W_enc", "b_enc", "W_dec", "b_dec"}[i], g.each()[i], numeric, 1e-6*largestOf(numeric))
			}
			reached := 0
			for f, dead := range base.dead {
				if dead && g.bEnc[f] != 0 {
					reached++
				}
			}
			if r, _ := trainer.RecipeByName(recipe); (reached > 0) == r.InertAuxK {
				t.Errorf("AuxK reaches %d dead latents", reached)
			}
		})
	}
}

func TestNearSeesNaN(t *testing.T) {
	fake := &testing.T{}
	near(fake, "nan", math.NaN(), 1, 1e-5)
	if !fake.Failed() {
		t.Error("NaN passed for 1")
	}
	fake = &testing.T{}
	nearAll(fake, "nan", []float64{1, math.NaN()}, []float64{1, 2}, 1e-4)
	if !fake.Failed() {
		t.Error("NaN passed for 2")
	}
}

package plain

import (
	"fmt"
	"slices"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// Rules that the recorded runs do not show.

func TestTopK(t *testing.T) {
	pre_F := []float64{0, 3, 1, 3, 0, 2}
	for _, c := range []struct {
		among_F []bool
		k       int
		want    []int
	}{
		{nil, 1, []int{1}}, {nil, 2, []int{1, 3}}, {nil, 5, []int{1, 3, 5, 2, 0}},
		{[]bool{true, false, true, true, true, false}, 3, []int{3, 2, 0}},
	} {
		if got := TopK(pre_F, c.among_F, c.k); !slices.Equal(got, c.want) {
			t.Errorf("the %d largest among %v are %v, want %v", c.k, c.among_F, got, c.want)
		}
	}
}

// small is a model of three latents of width 2.
func small(t *testing.T, recipe string) *Model {
	t.Helper()
	c := trainer.Config{
		Recipe: recipe, ActivationDim: 2, DictSize: 3, K: 2, AuxKAlpha: 1, KAux: 1, BatchSize: 2, Steps: 10,
		DecayStart: 9, LR: 0.1, DeadFeatureThreshold: 5,
	}
	m, err := New(c, trainer.NewState(c))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Latent 0 is kept with 2, latent 1 with 0, and latent 2 not at all.
func TestCountFired(t *testing.T) {
	for recipe, want := range map[string]string{
		"corrected": "[0 7 5] [false true false]",
		"reference": "[0 0 5] [false false false]",
		"upstream":  "[0 0 5] [false false true]", // dead at the threshold
	} {
		m := small(t, recipe)
		m.SinceFired_F = []int64{5, 5, 3}
		p := &pass{pre_BF: [][]float64{{2, 0, 0}, {2, 0, 0}}, kept_BK: [][]int{{0, 1}, {0, 1}}}
		m.countFired(p)
		if got := fmt.Sprint(p.sinceFired_F, p.dead_F); got != want {
			t.Errorf("%s: %s, want %s", recipe, got, want)
		}
	}
}

// Where no residual varies, AuxK is 0 and not a NaN.
func TestAuxKWithoutVariance(t *testing.T) {
	m := small(t, "corrected")
	m.SinceFired_F = []int64{9, 9, 9}
	p := m.forward([][]float64{{1, 2}, {1, 2}}, nil)
	if p.nDead != 3 || p.auxK != 0 || p.loss != 5 {
		t.Errorf("%d dead latents, AuxK %v, loss %v", p.nDead, p.auxK, p.loss)
	}
	m.backward([][]float64{{1, 2}, {1, 2}}, p)
}

// Recipe upstream projects on a row's direction, the others on the row as it is.
func TestProject(t *testing.T) {
	for recipe, want := range map[string]float64{"upstream": 0, "corrected": 3 - 3*2*2} {
		m := small(t, recipe)
		m.W.Dec_FD[0] = []float64{2, 0}
		g_FD := [][]float64{{3, 1}, {0, 0}, {0, 0}}
		m.project(g_FD)
		if got := g_FD[0]; !(got[0]-want <= 1e-5 && want-got[0] <= 1e-5) || got[1] != 1 {
			t.Errorf("%s: %v, want [%v 1]", recipe, got, want)
		}
	}
}

// Where the guess meets a row, it is the median.
func TestMedianOfEqualRows(t *testing.T) {
	if got := GeometricMedian([][]float64{{1, 2}, {1, 2}}); !slices.Equal(got, []float64{1, 2}) {
		t.Errorf("%v", got)
	}
}

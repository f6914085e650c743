package trainer

import (
	"math"
	"testing"
)

// The costs of a sum are found where the samples tell them apart. A term of no sample costs what the profile says,
// at the speed of this machine.
func TestFitCosts(t *testing.T) {
	profile := []float64{1, 2, 4}
	var samples []Sample
	for _, terms := range [][]float64{{1, 10, 0}, {1, 20, 0}, {1, 100, 0}} {
		samples = append(samples, Sample{terms, SumCosts([]float64{3, 6, 0}, terms)})
	}
	got := FitCosts(samples, profile)
	for i, want := range []float64{3, 6, 12} {
		if !(math.Abs(got[i]-want) <= 1e-6*want) {
			t.Errorf("term %d costs %v s, want %v", i, got[i], want)
		}
	}
	if got := FitCosts(nil, profile); got != nil {
		t.Errorf("without samples %v", got)
	}
}

// No cost is negative, and one that is far from the profile is found.
func TestFitCostsOffTheProfile(t *testing.T) {
	var samples []Sample
	for _, c := range []Config{
		{ActivationDim: 64, DictSize: 100, BatchSize: 10, K: 4}, {ActivationDim: 64, DictSize: 1000, BatchSize: 100, K: 4},
		{ActivationDim: 64, DictSize: 100, BatchSize: 1000, K: 40}, {ActivationDim: 64, DictSize: 4000, BatchSize: 10, K: 1},
	} {
		samples = append(samples, Sample{c.StepTerms(), 1e-9 * float64(c.BatchSize) * 64 * float64(c.DictSize)})
	}
	costs := FitCosts(samples, StepProfile())
	for i, c := range costs {
		if !(c >= 0) {
			t.Errorf("term %d costs %v s", i, c)
		}
	}
	for _, s := range samples {
		if got := SumCosts(costs, s.Terms); !(math.Abs(math.Log(got/s.Seconds)) <= math.Log(2)) {
			t.Errorf("%v: %v s, want about %v", s.Terms, got, s.Seconds)
		}
	}
}

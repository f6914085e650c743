package trainer

import "slices"

// A Sample is work that was timed.
type Sample struct {
	Terms   []float64 // what the work is made of, such as the multiplications of each kind
	Seconds float64   // what it took; more than 0
}

// FitCosts returns what each term costs in seconds, at least 0, so that relative errors of the samples are small in
// the sum of squares. All have as many terms as profile, which has the costs on some machine: where the samples do
// not tell what a term costs, it has the same share here as there. It is nil without samples.
func FitCosts(samples []Sample, profile []float64) []float64 {
	if len(samples) == 0 {
		return nil
	}
	// How much slower than the machine of the profile this one is.
	var ratios []float64
	for _, s := range samples {
		ratios = append(ratios, s.Seconds/SumCosts(profile, s.Terms))
	}
	slices.Sort(ratios)
	slower := ratios[len(ratios)/2]
	// The normal equations of least squares. Every row is divided by what was measured.
	n := len(profile)
	xx, xy := make([]float64, n*n), make([]float64, n)
	for _, s := range samples {
		for i, a := range s.Terms {
			xy[i] += a / s.Seconds
			for j, b := range s.Terms {
				xx[i*n+j] += a / s.Seconds * (b / s.Seconds)
			}
		}
	}
	for i, cost := range profile {
		pull := profilePull * xx[i*n+i]
		xx[i*n+i] += pull
		xy[i] += pull * slower * cost
	}
	// Coordinate descent: each cost in turn gets its best value, at least 0, with the others as they are.
	costs := make([]float64, n)
	for i, cost := range profile {
		costs[i] = slower * cost
	}
	for range descents {
		for i := range costs {
			if xx[i*n+i] == 0 {
				continue
			}
			rest := xy[i]
			for j, c := range costs {
				if j != i {
					rest -= xx[i*n+j] * c
				}
			}
			costs[i] = max(0, rest/xx[i*n+i])
		}
	}
	return costs
}

const (
	// descents is enough for terms that look alike, as with one batch_size. It takes about a millisecond.
	descents = 10_000

	// profilePull is the weight of the profile beside the samples.
	profilePull = 0.05
)

// SumCosts returns the seconds of work with these terms.
func SumCosts(costs, terms []float64) float64 {
	sum := 0.0
	for i, c := range costs {
		sum += c * terms[i]
	}
	return sum
}

// StepTerms returns what a training step is made of: a constant, the dense product, the choice of the k largest, the
// sparse products, and the update of weights and moments.
func (c Config) StepTerms() []float64 {
	b, d, f, k := float64(c.BatchSize), float64(c.ActivationDim), float64(c.DictSize), float64(c.K)
	return []float64{1, b * d * f, b * f, b * k * d, d * f}
}

// EvaluateTerms returns the same of Evaluate on n held-out rows: a constant, the rows, the dense product, the sparse
// products, and the pairs of latents whose cosines are taken, by themselves and by their width.
func (c Config) EvaluateTerms(n int64) []float64 {
	rows, d, f, k := float64(n), float64(c.ActivationDim), float64(c.DictSize), float64(c.K)
	latents := min(f, cosineLatents)
	pairs := latents * latents / 2
	return []float64{1, rows * d, rows * d * f, rows * k * d, pairs, pairs * d}
}

// StepProfile and EvaluateProfile return the costs of the terms on a machine of two cores with AVX-512, for FitCosts.
func StepProfile() []float64     { return []float64{1e-4, 3e-11, 1e-11, 7e-10, 3e-9} }
func EvaluateProfile() []float64 { return []float64{1e-3, 5e-9, 5e-11, 5e-10, 8e-9, 8e-11} }

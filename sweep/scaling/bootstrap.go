package scaling

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// bootstrap fits the form again to resampled losses: the fitted ones times residuals that are drawn with replacement.
// Points stay as they are, since a grid is chosen, not drawn. A residual is first divided by √(1 − h), where h is the
// point's leverage, because a fit comes closer to its points than to the truth. All are then multiplied by the ratio of
// the quantiles of Student's t and the normal distribution, which matters where few degrees of freedom are left.
func (f *Fit) bootstrap(ctx context.Context, p *problem, leverage []float64, free int) error {
	tail := (1 - f.Level) / 2
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(free)}.Quantile(1 - tail)
	widen := t / distuv.UnitNormal.Quantile(1-tail)
	adjusted := make([]float64, len(leverage))
	var mean float64
	for i, h := range leverage {
		adjusted[i] = f.Residuals[i] / math.Sqrt(max(1-h, 1e-3))
		mean += adjusted[i] / float64(len(adjusted))
	}
	for i := range adjusted {
		adjusted[i] = (adjusted[i] - mean) * widen
	}
	random := rand.New(rand.NewPCG(f.Seed, 0x5ca1ab1e))
	again := *p
	again.y = make([]float64, len(p.y))
	for range f.Resamples {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i := range again.y {
			again.y[i] = p.y[i] - f.Residuals[i] + adjusted[random.IntN(len(adjusted))]
		}
		f.samples = append(f.samples, again.descend(f.theta).theta)
		f.noise = append(f.noise, adjusted[random.IntN(len(adjusted))])
	}
	return nil
}

// intervals computes the coefficients of the formula, with their percentile intervals.
func (f *Fit) intervals() {
	all := make([][]float64, len(f.samples))
	for i, theta := range f.samples {
		all[i] = f.model.coefficients(theta)
	}
	for j, v := range f.model.coefficients(f.theta) {
		values := make([]float64, len(all))
		for i := range all {
			values[i] = all[i][j]
		}
		low, high := interval(values, f.Level)
		f.Coefficients[f.model.terms[j].name] = Coefficient{v, low, high}
	}
}

// interval returns the percentile interval of values, which it sorts.
func interval(values []float64, level float64) (low, high float64) {
	slices.Sort(values)
	tail := min(int(float64(len(values))*(1-level)/2), (len(values)-1)/2)
	return values[tail], values[len(values)-1-tail]
}

package scaling

import (
	"fmt"
	"math"
	"slices"
)

// ks lists the different k of the points in ascending order.
func (f *Fit) ks() []int64 {
	var out []int64
	for _, p := range f.Points {
		out = append(out, p.K)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// warn adds warnings on what the coefficients mean.
func (f *Fit) warn() {
	if f.Form != NK {
		if b := f.Coefficients["b"]; b.Low <= 0 {
			f.Warnings = append(f.Warnings, fmt.Sprintf(
				"b is not above 0 for certain (%.3g to %.3g): the points do not show that the loss falls", b.Low, b.High))
		}
	}
	var rising []string
	for _, k := range f.ks() {
		lk := math.Log(float64(k))
		if slope := f.Coefficients["beta_n"].Value + f.Coefficients["gamma"].Value*lk; f.Form == NK && slope > 1e-9 {
			rising = append(rising, fmt.Sprintf("k=%d", k))
		}
	}
	if len(rising) > 0 {
		f.Warnings = append(f.Warnings, "the fitted loss rises with dict_size at "+join(shorten(rising)))
	}
	if noise := f.noiseOfSeeds(); f.Sigma > misfit*noise && noise > 0 {
		f.Warnings = append(f.Warnings, fmt.Sprintf("the residuals are %.2g %%, and the noise of a point is %.2g %% by its "+
			"seeds: the form does not describe the rest, which the intervals count as noise", 100*f.Sigma, 100*noise))
	}
	worst := 0
	for i, r := range f.Residuals {
		if math.Abs(r) > math.Abs(f.Residuals[worst]) {
			worst = i
		}
	}
	if r := f.Residuals[worst]; math.Abs(r) > 0.1 {
		f.Warnings = append(f.Warnings, fmt.Sprintf("the largest residual is %.0f %% (%s): the form does not describe it",
			100*math.Expm1(r), f.Points[worst].at(f.Form)))
	}
}

// misfit is how many times the noise the residuals are at least where the form does not describe the losses.
const misfit = 3

// noiseOfSeeds returns the standard deviation that ln L of a point has by its seeds: that of a run, pooled over the
// points, and divided by the root of the seeds of a point. It is 0 where fewer than three degrees of freedom tell.
func (f *Fit) noiseOfSeeds() float64 {
	var sum, degrees, share float64
	for _, p := range f.Points {
		share += 1 / float64(max(p.Seeds, 1)) / float64(len(f.Points))
		if p.Std != nil && p.Seeds > 1 {
			sum += float64(p.Seeds-1) * math.Pow(*p.Std/p.NMSE, 2)
			degrees += float64(p.Seeds - 1)
		}
	}
	if degrees < 3 {
		return 0
	}
	return math.Sqrt(sum / degrees * share)
}

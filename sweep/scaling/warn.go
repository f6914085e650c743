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

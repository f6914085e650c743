package figures

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/topksweep/sweep/sweep/scaling"
	"github.com/topksweep/sweep/sweep/table"
)

// fitSteps is how many straight pieces the line of a fit has.
const fitSteps = 48

// A fitted is what is drawn of fits.
type fitted struct {
	nmse    *scaling.Fit // of form nk, or n where all points have one k; nil without a fit
	nmseWhy string       // why there is none, as a sentence
	// compute has the fits of form c by k. Those that the curves do not determine are not in it.
	compute    map[float64]*scaling.Fit
	computeWhy string // why the first of them is not
}

// fit fits what the tables determine: form nk to the results, and form c to the curves of each k that a legend names.
// There is no fit of form c where the results say that no one law holds for the runs: curves do not have those columns.
func fit(ctx context.Context, results, curves *table.Table, paths []path) (fitted, error) {
	out := fitted{compute: map[float64]*scaling.Fit{}}
	var err error
	if len(results.Columns) > 0 {
		points, _, failed := scaling.Points(*results)
		if out.nmse, out.nmseWhy, err = fitPoints(ctx, points, failed, scaling.NK); out.nmse == nil {
			out.nmseWhy = "drawn without a fit: " + out.nmseWhy
		}
	}
	ks := distinct(paths, func(p path) float64 { return p.k })
	if len(ks) > maxEntries {
		out.computeWhy = "drawn without fits: there are fits for up to 8 values of k"
		return out, err
	}
	if differ := scaling.CheckSame(*results); differ != nil {
		out.computeWhy = "drawn without fits: " + differ.Error()
		return out, err
	}
	for _, k := range ks {
		if err != nil {
			return out, err
		}
		var rows []int
		for i := range curves.Rows {
			if v := value(curves, i, "k"); v.ok && v.v == k {
				rows = append(rows, i)
			}
		}
		points, _, failed := scaling.Envelope(curves.Pick(rows))
		var f *scaling.Fit
		var why string
		if f, why, err = fitPoints(ctx, points, failed, scaling.C); f != nil {
			out.compute[k] = f
		} else if out.computeWhy == "" {
			out.computeWhy = "drawn without a fit for k " + size(k) + ": " + why
		}
	}
	return out, err
}

// fitPoints fits a form, or the smaller one that the points determine. Without a fit it says why. The error is that of
// the context.
func fitPoints(
	ctx context.Context, points []scaling.Point, err error, form scaling.Form,
) (f *scaling.Fit, why string, done error) {
	if err == nil {
		f, err = scaling.FitPoints(ctx, points, scaling.Options{Form: form})
	}
	if refused := (*scaling.NotDetermined)(nil); errors.As(err, &refused) {
		// A law without beta_k holds where k follows dict_size, and no series does that.
		if refused.Smaller != nil && !slices.Contains(refused.Smaller.Without, "beta_k") {
			return refused.Smaller, "", ctx.Err()
		}
		return nil, refused.Short(), ctx.Err()
	}
	if err != nil {
		return nil, err.Error(), ctx.Err()
	}
	return f, "", ctx.Err()
}

// lineOfNMSE returns the fit as places along one of k and dict_size, from its least value to its largest. The other has
// the value v.
func (f fitted) lineOfNMSE(series string, v, from, to float64) []xy {
	var out []xy
	for i := 0; f.nmse != nil && i <= fitSteps; i++ {
		at := math.Round(math.Exp(between(math.Log(from), math.Log(to), float64(i)/fitSteps)))
		k, n := v, at
		if series == "dict_size" {
			k, n = at, v
		}
		if k > n || n >= math.MaxInt64 || len(out) > 0 && out[len(out)-1].x == at {
			continue
		}
		if nmse := f.nmse.Predict(int64(k), int64(n)).NMSE; nmse > 0 && !math.IsInf(nmse, 0) {
			out = append(out, xy{at, nmse})
		}
	}
	return out
}

// lineOfCompute returns the fit for a k as places over the compute of its points.
func (f fitted) lineOfCompute(k float64) []xy {
	fit := f.compute[k]
	if fit == nil || len(fit.Points) == 0 {
		return nil
	}
	from, to := *fit.Points[0].Flops, *fit.Points[0].Flops
	for _, p := range fit.Points {
		from, to = min(from, *p.Flops), max(to, *p.Flops)
	}
	var out []xy
	for i := range fitSteps + 1 {
		at := math.Exp(between(math.Log(from), math.Log(to), float64(i)/fitSteps))
		if nmse := fit.PredictFlops(at).NMSE; nmse > 0 && !math.IsInf(nmse, 0) {
			out = append(out, xy{at, nmse})
		}
	}
	return out
}

// describe says which form a fit has.
func describe(f *scaling.Fit) string {
	out := "the fit of form " + string(f.Form)
	if len(f.Without) > 0 {
		out += " without " + list(f.Without)
	}
	return out
}

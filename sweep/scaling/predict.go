package scaling

import (
	"fmt"
	"math"
)

// A Prediction is what a fit says of a point, with intervals of the fit's level: of the law itself, and of a new point,
// which has noise of its own.
type Prediction struct {
	NMSE      float64 `json:"nmse"`
	Low       float64 `json:"low"` // of a new point
	High      float64 `json:"high"`
	CurveLow  float64 `json:"curve_low"` // of the law
	CurveHigh float64 `json:"curve_high"`
}

// Predict predicts the nmse of a k and a dict_size, for a fit of form n or nk. That of form n does not look at k.
func (f *Fit) Predict(k, dictSize int64) Prediction {
	return f.predict(Point{K: k, DictSize: dictSize})
}

// PredictFlops predicts the lowest nmse that a compute in dense-equivalent flops reaches, for a fit of form c.
func (f *Fit) PredictFlops(flops float64) Prediction {
	return f.predict(Point{Flops: &flops})
}

func (f *Fit) predict(at Point) Prediction {
	x := make([]float64, len(f.model.terms))
	f.model.regressors(at, x)
	value := func(theta []float64) float64 {
		power, floor := f.model.eval(theta, x)
		return power + floor
	}
	curve, noisy := make([]float64, len(f.samples)), make([]float64, len(f.samples))
	for i, theta := range f.samples {
		curve[i] = value(theta)
		noisy[i] = curve[i] * math.Exp(f.noise[i])
	}
	out := Prediction{NMSE: value(f.theta)}
	out.CurveLow, out.CurveHigh = interval(curve, f.Level)
	out.Low, out.High = interval(noisy, f.Level)
	return out
}

// Outside says how far a k and a dict_size lie outside of the points, one line for each variable that does.
func (f *Fit) Outside(k, dictSize int64) []string {
	var out []string
	for _, v := range []struct {
		name string
		at   int64
		of   func(p Point) int64
	}{
		{"k", k, func(p Point) int64 { return p.K }},
		{"dict_size", dictSize, func(p Point) int64 { return p.DictSize }},
	} {
		low, high := v.of(f.Points[0]), v.of(f.Points[0])
		for _, p := range f.Points {
			low, high = min(low, v.of(p)), max(high, v.of(p))
		}
		switch {
		case v.at > high:
			out = append(out, fmt.Sprintf("%s=%d is %.4g times the largest of the points, %d",
				v.name, v.at, float64(v.at)/float64(high), high))
		case v.at < low:
			out = append(out, fmt.Sprintf("%s=%d is %.4g times the smallest of the points, %d",
				v.name, v.at, float64(v.at)/float64(low), low))
		}
	}
	return out
}

// at says where a point is.
func (p Point) at(f Form) string {
	if f == C && p.Flops != nil {
		return fmt.Sprintf("dict_size=%d at %.3g flops", p.DictSize, *p.Flops)
	}
	return fmt.Sprintf("k=%d, dict_size=%d", p.K, p.DictSize)
}

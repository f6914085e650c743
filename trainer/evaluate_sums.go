package trainer

import "math"

// sums are over rows, in float64. Squares of float32 numbers, of which the largest is
// 3.4e38, are far from what float64 can hold.
type sums struct {
	n, e2, y2, xy, cos, ratio, l0, l1 float64 // y is x̂
	cosRows                           float64 // rows with x and x̂ both non-zero
	ratioRows                         float64 // rows with x non-zero
}

// row adds a row x_D with its reconstruction y_D and its kept activations.
func (s *sums) row(x []float32, y []float64, acts []float32) {
	var e2, x2, y2, xy, l1 float64
	for i, v := range x {
		xv, yv := float64(v), y[i]
		e2 += (yv - xv) * (yv - xv)
		x2 += xv * xv
		y2 += yv * yv
		xy += xv * yv
	}
	s.n++
	s.e2 += e2
	s.y2 += y2
	s.xy += xy
	if x2 > 0 {
		s.ratioRows++
		s.ratio += math.Sqrt(y2 / x2)
		if y2 > 0 {
			s.cosRows++
			s.cos += max(-1, min(xy/math.Sqrt(x2)/math.Sqrt(y2), 1)) // rounding may lead beyond 1
		}
	}
	for _, a := range acts {
		if a > 0 {
			s.l0++
			l1 += float64(a)
		}
	}
	s.l1 += l1
}

func (s *sums) add(o sums) {
	s.n += o.n
	s.e2 += o.e2
	s.y2 += o.y2
	s.xy += o.xy
	s.cos += o.cos
	s.cosRows += o.cosRows
	s.ratio += o.ratio
	s.ratioRows += o.ratioRows
	s.l0 += o.l0
	s.l1 += o.l1
}

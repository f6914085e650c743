package trainer

import "math"

// UnitRows returns a copy of w, rows of width d, with each row divided by its norm,
// and the number of rows of zeros, which stay as they are. Norms are in float64: no
// row of finite numbers is too small or too large. In float32 the norms are 1 within
// 1e-6.
//
// A model leaves training with such a decoder: it is what is evaluated and exported.
// The recipes that bring W_dec to unit norm at the start of a step leave rows that
// the last step of Adam has moved away from it.
func UnitRows(w []float32, d int) (unit []float32, zeros int) {
	unit = make([]float32, len(w))
	return unit, unitInto(unit, w, d)
}

// unitInto is UnitRows into unit, which may be w.
func unitInto(unit, w []float32, d int) (zeros int) {
	for at := 0; at+d <= len(w); at += d {
		row, sum := w[at:at+d], 0.0
		for _, v := range row {
			sum += float64(v) * float64(v)
		}
		norm := math.Sqrt(sum)
		if sum == 0 {
			zeros++
			norm = 1
		}
		for i, v := range row {
			unit[at+i] = float32(float64(v) / norm)
		}
	}
	return zeros
}

// Package wide adds products of float32 numbers in float64. Such a product is exact, so that it does not matter whether
// a processor rounds it before it is added: every processor gives the same bits, whichever instructions it has.
package wide

// lanes is the number of partial sums of a product of two rows.
const lanes = 4

// AddFour adds a[0]·w0, then a[1]·w1, a[2]·w2 and a[3]·w3, to y. All rows are as long as y. So y is read and written
// less often than row by row.
func AddFour(y []float64, a [4]float32, w0, w1, w2, w3 []float32) {
	n := len(y)
	w0, w1, w2, w3 = w0[:n], w1[:n], w2[:n], w3[:n]
	done := 0
	if vector() {
		done = n / lanes * lanes
		addFour(y[:done], &a, w0, w1, w2, w3)
	}
	a0, a1, a2, a3 := float64(a[0]), float64(a[1]), float64(a[2]), float64(a[3])
	w0, w1, w2, w3 = w0[done:], w1[done:], w2[done:], w3[done:]
	for j, v := range y[done:] {
		v += a0 * float64(w0[j])
		v += a1 * float64(w1[j])
		v += a2 * float64(w2[j])
		v += a3 * float64(w3[j])
		y[done+j] = v
	}
}

// Dots2x4 returns the products of two rows with four: those of a[0], then those of a[1]. All rows are equally long.
// Product j goes to partial sum j%4, and the last len%4 are added behind these.
func Dots2x4(a [2][]float32, b [4][]float32) (out [8]float64) {
	n := len(a[0]) / lanes * lanes
	if vector() {
		dots2x4(a[0][:n], a[1][:n], b[0][:n], b[1][:n], b[2][:n], b[3][:n], &out)
	} else {
		for i := range out {
			out[i] = dot(a[i/4][:n], b[i%4][:n])
		}
	}
	for i := range out {
		b := b[i%4][n:]
		for j, v := range a[i/4][n:] {
			out[i] += float64(v) * float64(b[j])
		}
	}
	return out
}

// dot is one product of Dots2x4, of rows whose length is a multiple of lanes.
func dot(a, b []float32) float64 {
	var s0, s1, s2, s3 float64
	for ; len(a) >= lanes && len(b) >= lanes; a, b = a[lanes:], b[lanes:] {
		s0 += float64(a[0]) * float64(b[0])
		s1 += float64(a[1]) * float64(b[1])
		s2 += float64(a[2]) * float64(b[2])
		s3 += float64(a[3]) * float64(b[3])
	}
	return (s0 + s2) + (s1 + s3)
}

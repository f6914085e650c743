package trainer

// moments are the mean and the variance of rows, for each dimension, in float64.
//
// Σx² − N·mean² would lose all digits where rows hardly vary: both terms are then
// equal in nearly all digits. So every row is taken less the same row, shift, which
// is the first of them, and each block of rows is summed in two passes:
//
//	rows 1000.1, 1000.2, 1000.3, less the first   0, 0.1, 0.2
//	mean                                          0.1
//	m2 = (0−0.1)² + (0.1−0.1)² + (0.2−0.1)²       0.02
//
// Rows that are all equal give m2 = 0, exactly.
type moments struct {
	n    float64   // rows
	mean []float64 // [D] of the rows less shift
	m2   []float64 // [D] Σ (x − mean of x)²
}

// momentsOf returns the moments of the rows of x_nD, with n > 0, less shift_D.
func momentsOf[T float32 | float64](x []T, shift []float64) moments {
	d := len(shift)
	m := moments{float64(len(x) / d), make([]float64, d), make([]float64, d)}
	for at := 0; at < len(x); at += d {
		for j, v := range x[at : at+d] {
			m.mean[j] += float64(v) - shift[j]
		}
	}
	for j := range m.mean {
		m.mean[j] /= m.n
	}
	for at := 0; at < len(x); at += d {
		for j, v := range x[at : at+d] {
			dx := float64(v) - shift[j] - m.mean[j]
			m.m2[j] += dx * dx
		}
	}
	return m
}

// add adds the moments of further rows with the same shift (Chan, Golub, LeVeque 1979).
func (m *moments) add(o moments) {
	if m.n == 0 {
		*m = o
		return
	}
	n := m.n + o.n
	for j, v := range o.mean {
		delta := v - m.mean[j]
		m.mean[j] += delta * (o.n / n)
		m.m2[j] += o.m2[j] + delta*delta*(m.n*o.n/n)
	}
	m.n = n
}

// variance returns Σ ‖x − mean of x‖², over the rows and the dimensions.
func (m *moments) variance() float64 {
	total := 0.0
	for _, v := range m.m2 {
		total += v
	}
	return total
}

package cpu

import "math"

// portable returns the kernels in plain Go. Most sums run as several partial sums,
// so that the processor can overlap their additions.
func portable() *kernels {
	return &kernels{
		name:   "portable",
		screen: floats(productGo), gemm: productGo,
		bound: boundGo, over: overGo, dots: dotsGo, dotSums: 4, combine: combineGo, axpy: axpyGo, scale: scaleGo,
		sumSquares: sumSquaresGo, largest: largestGo, adam: adamGo, transpose: transposeGo,
	}
}

// floats returns the screening that multiplies the float32 numbers themselves.
func floats(product func(a, w []float32, out *[mr][nr]float32)) screenProduct {
	return screenProduct{perWord: 1, quantize: func(dst, src []float32, _ float32) { copy(dst, src) }, product: product}
}

func productGo(a, w []float32, out *[mr][nr]float32) {
	// Four tokens by two latents at a time fit the sixteen registers of the smallest
	// machine.
	for r := 0; r < mr; r += 4 {
		for j := 0; j < nr; j += 2 {
			var c00, c01, c10, c11, c20, c21, c30, c31 float32
			for x, y := a[r:], w[j:]; len(x) >= 4 && len(y) >= 2; {
				x0, x1, x2, x3, y0, y1 := x[0], x[1], x[2], x[3], y[0], y[1]
				c00 += x0 * y0
				c01 += x0 * y1
				c10 += x1 * y0
				c11 += x1 * y1
				c20 += x2 * y0
				c21 += x2 * y1
				c30 += x3 * y0
				c31 += x3 * y1
				if len(x) < mr || len(y) < nr {
					break
				}
				x, y = x[mr:], y[nr:]
			}
			for i, c := range [4][2]float32{{c00, c01}, {c10, c11}, {c20, c21}, {c30, c31}} {
				out[r+i][j] += c[0]
				out[r+i][j+1] += c[1]
			}
		}
	}
}

func boundGo(out *[mr][nr]float32, x *[2][mr]float32, w *[4][nr]float32, above *[mr]float32, hit *[mr]uint32) {
	for r := range out {
		for j, v := range out[r] {
			out[r][j] = v*w[0][j]*x[0][r] + w[2][j] + x[1][r]*w[1][j]
		}
	}
	overGo(out, above, hit)
}

func overGo(out *[mr][nr]float32, above *[mr]float32, hit *[mr]uint32) {
	for r := range out {
		hits := uint32(0)
		for j, v := range out[r] {
			if !(v <= above[r]) {
				hits |= 1 << j
			}
		}
		hit[r] = hits
	}
}

func dotsGo(dst, v, base []float32, rows []int32) {
	for i, r := range rows {
		row := base[int(r)*len(v):][:len(v)]
		var s0, s1, s2, s3 float32
		for j := 0; j+4 <= len(v) && j+4 <= len(row); j += 4 {
			s0 += v[j] * row[j]
			s1 += v[j+1] * row[j+1]
			s2 += v[j+2] * row[j+2]
			s3 += v[j+3] * row[j+3]
		}
		dst[i] = (s0 + s1) + (s2 + s3)
	}
}

func combineGo(dst, init, coef, base []float32, rows []int32) {
	if init == nil {
		clear(dst)
	} else {
		copy(dst, init)
	}
	for i, r := range rows {
		axpyGo(dst, coef[i], base[int(r)*len(dst):][:len(dst)])
	}
}

func axpyGo(dst []float32, a float32, x []float32) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] += a * x[i]
	}
}

func scaleGo(x []float32, a float32) {
	for i := range x {
		x[i] *= a
	}
}

func sumSquaresGo(x []float32) float64 {
	var s0, s1 float64
	for ; len(x) >= 2; x = x[2:] {
		a, b := float64(x[0]), float64(x[1])
		s0 += a * a
		s1 += b * b
	}
	return s0 + s1
}

func largestGo(x []float32) float32 {
	largest := uint32(0)
	for _, v := range x {
		if bits := math.Float32bits(v) &^ (1 << 31); bits > largest { // they rise with |v|
			largest = bits
		}
	}
	return math.Float32frombits(largest)
}

func adamGo(w, m, v, g []float32, p *adam) {
	m, v = m[:len(w)], v[:len(w)]
	for i := range w {
		grad := float32(0)
		if g != nil {
			grad = g[i]
		}
		m[i] = p.beta1*m[i] + p.gain1*grad
		v[i] = p.beta2*v[i] + p.gain2*grad*grad
		root := float32(math.Sqrt(float64(v[i])))
		w[i] = w[i]*p.weight - p.step*m[i]/(root*p.root+p.eps)
	}
}

func transposeGo(dst, src []float32, rows int) {
	stride := len(src) / rows
	for r := range rows {
		row := src[r*stride:][:stride]
		for d, i := 0, r; i < len(dst); d, i = d+1, i+rows {
			dst[i] = row[d]
		}
	}
}

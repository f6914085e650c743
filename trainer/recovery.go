package trainer

// recovery compares the true directions of synthetic data, [n,D] unit rows,
// with the decoder rows w_FD, of unit norm: the mean over the directions of the
// largest cosine with any row, and the share of directions where it is over 0.9.
func recovery(w, directions []float32, d int) (mean, share *float64) {
	n, f := len(directions)/d, len(w)/d
	type part struct{ sum, over float64 }
	var total part
	for _, p := range eachBlock(n, func(from, to int, p *part) {
		for r := from; r < to; r++ {
			dir, best := directions[r*d:(r+1)*d], -1.0
			for i := range f {
				dot := float32(0)
				for j, v := range w[i*d : (i+1)*d] {
					dot += v * dir[j]
				}
				best = max(best, float64(dot))
			}
			p.sum += best
			if best > 0.9 {
				p.over++
			}
		}
	}) {
		total.sum += p.sum
		total.over += p.over
	}
	return quotient(total.sum, float64(n)), quotient(total.over, float64(n))
}

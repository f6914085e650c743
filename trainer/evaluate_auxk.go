package trainer

// auxK is the recipe's AuxK loss on one batch, given its reconstructions x̂_BD.
// It is measured whatever auxk_alpha is, so that runs with and without AuxK can
// be compared.
func (e *evaluation) auxK(x []float32, xhat []float64) (float64, error) {
	if e.nDead == 0 {
		return 0, nil
	}
	if e.recipe.InertAuxK {
		return e.inertAuxK(x, xhat), nil
	}
	d := e.c.ActivationDim
	n, k := len(x)/d, min(e.c.KAux, e.nDead)
	acts, latents := make([]float32, n*k), make([]int32, n*k)
	if err := e.m.Encode(x, k, e.dead, acts, latents); err != nil {
		return 0, err
	}
	type part struct {
		err, r2 float64
		r       []float64
	}
	total := part{r: make([]float64, d)}
	for _, p := range eachBlock(n, func(from, to int, p *part) {
		p.r = make([]float64, d)
		y := make([]float64, d)
		for r := from; r < to; r++ {
			clear(y)
			e.decode(acts[r*k:(r+1)*k], latents[r*k:(r+1)*k], y)
			for i := range y {
				res := float64(x[r*d+i]) - xhat[r*d+i]
				p.err += (y[i] - res) * (y[i] - res)
				p.r2 += res * res
				p.r[i] += res
			}
		}
	}) {
		total.err += p.err
		total.r2 += p.r2
		for i, v := range p.r {
			total.r[i] += v
		}
	}
	mean2 := 0.0
	for _, v := range total.r {
		mean2 += (v / float64(n)) * (v / float64(n))
	}
	if q := quotient(total.err, total.r2-float64(n)*mean2); q != nil {
		return *q, nil
	}
	return 0, nil // the recipe takes NaN as 0
}

// inertAuxK is the reference's: min(dead/k_aux, 1) · mean_{B,D}((b_dec − (x̂−x))²
// ÷ Σ_B (x−x̄)²).
func (e *evaluation) inertAuxK(x []float32, xhat []float64) float64 {
	d := e.c.ActivationDim
	n := len(x) / d
	sum := 0.0
	for i := range d {
		var mean, variance, err float64
		for r := range n {
			mean += float64(x[r*d+i])
		}
		mean /= float64(n)
		for r := range n {
			dx := float64(x[r*d+i]) - mean
			variance += dx * dx
			u := float64(e.s.W.BDec[i]) - (xhat[r*d+i] - float64(x[r*d+i]))
			err += u * u
		}
		if q := quotient(err, variance); q != nil {
			sum += *q
		}
	}
	return min(float64(e.nDead)/float64(e.c.KAux), 1) * sum / float64(n*d)
}

package similarity

import (
	"context"
	"math"
	"sync"
)

// A sample is the chosen rows of one decoder, with the largest cosine that each had so far.
type sample struct {
	rows  []float64 // [n,D]
	norms []float64 // [n]
	best  []float64 // [n]
	width int
}

// readSample reads the rows of a decoder with the numbers chosen, which ascend.
func readSample(ctx context.Context, m Model, chosen []int64) (*sample, error) {
	d, err := open(ctx, m)
	if err != nil {
		return nil, err
	}
	defer d.close()
	s := &sample{width: int(d.width)}
	block := make([]float64, blockRows*d.width)
	for at := int64(0); len(chosen) > 0; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := d.read(block)
		if err != nil {
			return nil, err
		}
		for len(chosen) > 0 && chosen[0] < at+n {
			row := block[(chosen[0]-at)*d.width:][:d.width]
			s.rows = append(s.rows, row...)
			s.norms = append(s.norms, norm(row))
			chosen = chosen[1:]
		}
		at += n
	}
	s.best = make([]float64, len(s.norms))
	s.forget()
	return s, nil
}

// forget forgets what the rows were compared with.
func (s *sample) forget() {
	for i := range s.best {
		s.best[i] = math.Inf(-1)
	}
}

// mean is the mean of the largest cosines.
func (s *sample) mean() float64 {
	sum := 0.0
	for _, v := range s.best {
		sum += v
	}
	return sum / float64(len(s.best))
}

// compare compares the rows of a decoder with the samples of other models. done is told how many rows were compared.
func compare(
	ctx context.Context, m Model, with []int, samples map[int]*sample, threads int, done func(rows int64),
) error {
	d, err := open(ctx, m)
	if err != nil {
		return err
	}
	defer d.close()
	block, norms := make([]float64, blockRows*d.width), make([]float64, blockRows)
	for d.left > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := d.read(block)
		if err != nil {
			return err
		}
		width := int(d.width)
		for i := range int(n) {
			norms[i] = norm(block[i*width:][:width])
		}
		for _, a := range with {
			samples[a].meet(block[:int(n)*width], norms[:n], threads)
		}
		done(n * int64(len(with)))
	}
	return nil
}

// meet raises the largest cosines of a sample by those with rows of another decoder. Each thread has its own rows of
// the sample, and no sum depends on which.
func (s *sample) meet(rows, norms []float64, threads int) {
	n := len(s.norms)
	threads = max(1, threads)
	part := (n + threads - 1) / threads
	part += part % 2 // meetRows takes two rows at a time
	var wg sync.WaitGroup
	for from := 0; from < n; from += part {
		wg.Go(func() { s.meetRows(from, min(from+part, n), rows, norms) })
	}
	wg.Wait()
}

// meetRows is meet for the rows from up to but without to. It takes two rows of the sample and four of the others at
// a time: then a number is loaded once for several products.
func (s *sample) meetRows(from, to int, rows, norms []float64) {
	d := s.width
	for i := from; i < to; i += 2 {
		i2 := min(i+1, to-1)
		a, b := s.rows[i*d:][:d], s.rows[i2*d:][:d]
		for j := 0; j < len(norms); j += 4 {
			last := len(norms) - 1
			js := [4]int{j, min(j+1, last), min(j+2, last), min(j+3, last)}
			dots := dots8(a, b, rows[js[0]*d:][:d], rows[js[1]*d:][:d], rows[js[2]*d:][:d], rows[js[3]*d:][:d])
			for q, jq := range js {
				s.best[i] = max(s.best[i], cosine(dots[q], s.norms[i], norms[jq]))
				s.best[i2] = max(s.best[i2], cosine(dots[4+q], s.norms[i2], norms[jq]))
			}
		}
	}
}

// dots8 returns the products of two rows with four others. The factors are float32, so each product of two is exact in
// float64, and machines that fuse a product and a sum give the same bits as those that do not.
func dots8(a, b, w, x, y, z []float64) [8]float64 {
	b, w, x, y, z = b[:len(a)], w[:len(a)], x[:len(a)], y[:len(a)], z[:len(a)]
	var aw, ax, ay, az, bw, bx, by, bz float64
	for i, u := range a {
		v := b[i]
		aw += u * w[i]
		bw += v * w[i]
		ax += u * x[i]
		bx += v * x[i]
		ay += u * y[i]
		by += v * y[i]
		az += u * z[i]
		bz += v * z[i]
	}
	return [8]float64{aw, ax, ay, az, bw, bx, by, bz}
}

// norm returns the length of a row of float32 values: 0 if all are 0.
func norm(row []float64) float64 {
	sum := 0.0
	for _, v := range row {
		sum += v * v
	}
	return math.Sqrt(sum)
}

func cosine(dot, a, b float64) float64 {
	if a == 0 || b == 0 {
		return 0
	}
	return min(1, max(-1, dot/(a*b)))
}

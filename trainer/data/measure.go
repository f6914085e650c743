package data

import (
	"context"
	"errors"
	"math"
)

// The sample that Open measures is the training rows that come first in the
// base permutation: the same for every seed and thread count. It is bounded in
// rows and, for wide rows, in numbers, so that opening takes seconds.
const (
	sampleRows      = 1 << 20
	sampleNumbers   = 1 << 28
	syntheticSample = 1 << 16 // made, not read: its mean is known well enough
	scanChunk       = 4096
)

// A measure sums up rows; sums over the values in float64.
type measure struct {
	rows         int64 // finite ones
	norm, square float64
	min, max     float32
	bad          []*BadRowError // at most maxBad of them
	badRows      int64
	err          error // a read that failed
}

const maxBad = 100

// add takes in a row that was read into x with the outcome err.
func (m *measure) add(x []float32, err error) {
	if err != nil {
		var b *BadRowError
		if !errors.As(err, &b) {
			m.err = errors.Join(m.err, err)
			return
		}
		m.badRows++
		if len(m.bad) < maxBad {
			m.bad = append(m.bad, b)
		}
		return
	}
	if m.rows == 0 {
		m.min, m.max = x[0], x[0]
	}
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
		m.min, m.max = min(m.min, v), max(m.max, v)
	}
	m.rows++
	m.square += sum
	m.norm += math.Sqrt(sum)
}

// merge takes in the measure of the rows after m's.
func (m *measure) merge(o measure) {
	if o.rows > 0 {
		if m.rows == 0 {
			m.min, m.max = o.min, o.max
		}
		m.min, m.max = min(m.min, o.min), max(m.max, o.max)
	}
	m.rows += o.rows
	m.norm += o.norm
	m.square += o.square
	m.bad = append(m.bad, o.bad[:min(len(o.bad), maxBad-len(m.bad))]...)
	m.badRows += o.badRows
	if m.err == nil {
		m.err = o.err
	}
}

// measure looks at the first n training rows of the base permutation. Rows that
// are not finite are an error that names one in each file.
func (s *Set) measure(ctx context.Context, n int64, workers int) (m measure, err error) {
	err = inOrder(ctx, workers, n, scanChunk, func(from, to int64) (m measure) {
		x := make([]float32, s.src.dim())
		buf := make([]byte, 4*s.src.dim())
		for i := from; i < to && m.err == nil; i++ {
			m.add(x, s.src.read(s.trainRow(i), x, 1, buf))
		}
		return m
	}, func(o measure) { m.merge(o) })
	if err == nil {
		err = m.err
	}
	if err == nil {
		err = perFile(m.bad)
	}
	return m, err
}

// perFile joins the lowest bad row of each file.
func perFile(bad []*BadRowError) error {
	var errs []error
	first := map[string]*BadRowError{}
	for _, b := range bad {
		one := first[b.File]
		if one == nil {
			one = &BadRowError{Row: math.MaxInt64, More: -1}
			first[b.File] = one
			errs = append(errs, one)
		}
		more := one.More + 1
		if b.Row < one.Row {
			*one = *b
		}
		one.More = more
	}
	return errors.Join(errs...)
}

package data

import (
	"context"
	"errors"
	"math"
)

// Open reads a sample of the rows: the training rows that come first in the base
// permutation, which are the same for every seed and number of threads. It is limited
// in rows and, for wide rows, in numbers, so that opening takes seconds.
const (
	sampleRows      = 1 << 20
	sampleNumbers   = 1 << 28
	syntheticSample = 1 << 16 // rows; making them takes longer than reading
	scanChunk       = 4096    // rows that a goroutine takes at a time
)

// rowStats sums up rows. Sums are in float64.
type rowStats struct {
	rows     int64   // whose values are all finite; the next four are over them
	norm     float64 // sum of their norms
	square   float64 // sum of their squared norms
	min, max float32
	bad      []*BadRowError // the first maxBad rows that are not finite
	badRows  int64          // all rows that are not finite
	err      error          // a read that failed
}

const maxBad = 100

// add counts a row: x is what was read, or err says why it was not.
func (m *rowStats) add(x []float32, err error) {
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

// merge adds the stats of rows that come after those of m.
func (m *rowStats) merge(o rowStats) {
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

// sample reads the first n training rows of the base permutation. If some are not
// finite, the error names one in each file.
func (s *Set) sample(ctx context.Context, n int64, workers int) (m rowStats, err error) {
	err = inOrder(ctx, workers, n, scanChunk, func(from, to int64) (m rowStats) {
		x := make([]float32, s.src.dim())
		buf := make([]byte, 4*s.src.dim())
		for i := from; i < to && m.err == nil; i++ {
			m.add(x, s.src.read(s.trainRow(i), x, 1, buf))
		}
		return m
	}, func(o rowStats) { m.merge(o) })
	if err == nil {
		err = m.err
	}
	if err == nil {
		err = perFile(m.bad)
	}
	return m, err
}

// perFile joins, for each file, the error of its first bad row.
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

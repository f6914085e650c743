package data

import (
	"errors"
	"math"
)

// scanChunk is how many rows a goroutine takes at a time.
const scanChunk = 4096

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

// add counts a row: x is what was read, or err says why it was not. It returns the row's
// squared norm, and whether it was read.
func (m *rowStats) add(x []float32, err error) (sum float64, ok bool) {
	if err != nil {
		var b *BadRowError
		if !errors.As(err, &b) {
			m.err = errors.Join(m.err, err)
			return 0, false
		}
		m.badRows++
		if len(m.bad) < maxBad {
			m.bad = append(m.bad, b)
		}
		return 0, false
	}
	if m.rows == 0 {
		m.min, m.max = x[0], x[0]
	}
	for _, v := range x {
		sum += float64(v) * float64(v)
		m.min, m.max = min(m.min, v), max(m.max, v)
	}
	m.rows++
	m.square += sum
	m.norm += math.Sqrt(sum)
	return sum, true
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

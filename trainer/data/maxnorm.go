package data

import (
	"context"
	"math"
	"strconv"

	"github.com/topksweep/sweep/trainer"
)

// A max_norm that leaves out more than this share of the rows is refused: it is taken for
// a mistake in its unit.
const mostLeftOut = 0.9

// leaveOut takes the rows out of src whose norm is above max_norm.
func (s *Set) leaveOut(ctx context.Context) error {
	if s.spec.MaxNorm == "" {
		return nil
	}
	limit, err := s.maxNorm(ctx)
	if err != nil {
		return err
	}
	return s.leaveOutAbove(ctx, limit)
}

// leaveOutAbove takes the rows out of src whose norm is above limit.
func (s *Set) leaveOutAbove(ctx context.Context, limit float64) error {
	key := strconv.FormatUint(math.Float64bits(limit), 16)
	out, err := decodeRows(s.cache.entry.LeftOut[key], s.shards.count)
	if _, known := s.cache.entry.LeftOut[key]; !known || err != nil {
		if out, err = s.rowsAbove(ctx, limit); err != nil {
			return err
		}
		s.cache.put(func(e *cacheEntry) { e.LeftOut = keep(e.LeftOut, key, encodeRows(out)) })
	}
	if float64(len(out)) > mostLeftOut*float64(s.shards.count) {
		return s.errorf("max_norm: %s leaves out %d of %d rows, which have a norm above %.6g: "+
			"norms are those of the rows as stored; sweep data inspect shows them",
			s.spec.MaxNorm, len(out), s.shards.count, limit)
	}
	s.info.MaxNorm, s.info.LeftOut = limit, int64(len(out))
	s.src = newKept(s.shards, out)
	return nil
}

// maxNorm returns the largest norm that a row may have. A multiple of the median is that
// of the sample that is read without max_norm, with the same held-out rows.
func (s *Set) maxNorm(ctx context.Context) (float64, error) {
	norm, medians, err := trainer.ParseMaxNorm(s.spec.MaxNorm)
	if err != nil {
		return 0, s.errorf("max_norm: %v", err)
	}
	if medians == 0 {
		return norm, nil
	}
	if err := s.holdOut(); err != nil {
		return 0, err
	}
	m, err := s.readSample(ctx)
	if err != nil {
		return 0, err
	}
	if norm = medians * m.median; !(norm > 0 && norm <= math.MaxFloat64) {
		return 0, s.errorf("max_norm: %s is %g here, as the median norm is %g: give a norm as a number",
			s.spec.MaxNorm, norm, m.median)
	}
	return norm, nil
}

// rowsAbove reads all rows and returns the numbers of those with a larger norm, in order.
// Rows that are not finite are an error: they are not left out in silence.
func (s *Set) rowsAbove(ctx context.Context, limit float64) (out []int64, err error) {
	type part struct {
		rowStats
		out []int64
	}
	var all part
	sh := s.shards
	after := s.opts.meter(sh.bytes())
	err = inOrder(ctx, s.opts.Workers, sh.count, scanChunk, func(from, to int64) (m part) {
		x, buf := make([]float32, sh.width), make([]byte, widest*sh.width)
		for row := from; row < to && m.err == nil; row++ {
			if sum, _ := m.add(x, sh.read(row, x, 1, buf)); math.Sqrt(sum) > limit {
				m.out = append(m.out, row)
			}
		}
		after(sh.storedBytes(from, to))
		return m
	}, func(o part) {
		all.merge(o.rowStats)
		all.out = append(all.out, o.out...)
	})
	if err == nil {
		err = all.err
	}
	if err == nil {
		err = perFile(all.bad)
	}
	return all.out, err
}

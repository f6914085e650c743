package data

import (
	"context"
	"math"
	"slices"
)

// Open reads a sample of the rows: the training rows that come first in the base
// permutation, which are the same for every seed and number of threads. It is limited
// in rows and, for wide rows, in numbers, so that it takes seconds. With shuffle: blocks it is that of 16 blocks, which
// are all that must be near.
const (
	sampleRows      = 1 << 20
	sampleNumbers   = 1 << 28
	sampleBlocks    = 16
	syntheticSample = 1 << 16 // rows; making them takes longer than reading
)

// A row is huge if its norm is more than hugeNorms times the median norm. Where huge rows
// hold more than hugeNote of the mean square, a note says so; a few dimensions likewise.
const (
	hugeNorms = 10
	hugeNote  = 0.5
)

// sampleStats describe the sample. Sums are in float64, and their order does not depend
// on the number of goroutines.
type sampleStats struct {
	rowStats
	squares []float64 // of the rows' norms, sorted
	zero    int64     // rows of zeros only

	// median is that of the norms of the rows that are not all zeros, so that padding does
	// not make every other row huge. Of two middle ones it is the smaller; without any such
	// row it is 0.
	median    float64
	hugeShare float64   // of the sum of squares, in rows with a norm over hugeNorms medians
	dims      []float64 // [D] each dimension's share of the sum of squares
	mean      []float64 // [D] of the rows
}

func (m *sampleStats) meanNorm() float64   { return m.norm / float64(m.rows) }
func (m *sampleStats) meanSquare() float64 { return m.square / float64(m.rows) }

// readSample reads the sample. If some rows are not finite, the error names one in each
// file.
func (s *Set) readSample(ctx context.Context) (m sampleStats, err error) {
	most := int64(sampleRows)
	if s.shards == nil {
		most = syntheticSample
	}
	d := s.src.dim()
	numbers := int64(sampleNumbers)
	if s.shuffle() != "" {
		numbers = sampleBlocks * orderBlockNumbers
	}
	n := min(s.train, most, max(1, numbers/int64(d)))
	m.dims, m.mean = make([]float64, d), make([]float64, d)
	err = inOrder(ctx, s.opts.Workers, n, scanChunk, func(from, to int64) (m sampleStats) {
		x, buf := make([]float32, d), make([]byte, widest*d)
		m.dims, m.mean = make([]float64, d), make([]float64, d)
		for i := from; i < to && m.err == nil; i++ {
			m.addRow(x, s.src.read(s.trainRow(i), x, 1, buf))
		}
		return m
	}, func(o sampleStats) {
		m.merge(o.rowStats)
		m.squares = append(m.squares, o.squares...)
		for i, v := range o.dims {
			m.dims[i] += v
			m.mean[i] += o.mean[i]
		}
	})
	if err == nil {
		err = m.err
	}
	if err == nil {
		err = perFile(m.bad)
	}
	if err == nil && !(m.square <= math.MaxFloat64) {
		err = s.errorf("the rows hold numbers that are not finite: make them smaller")
	}
	if err != nil {
		return sampleStats{}, err
	}
	m.finish()
	return m, nil
}

// addRow counts a row, like add.
func (m *sampleStats) addRow(x []float32, err error) {
	sum, ok := m.add(x, err)
	if !ok {
		return
	}
	m.squares = append(m.squares, sum)
	for i, v := range x {
		m.dims[i] += float64(v) * float64(v)
		m.mean[i] += float64(v)
	}
}

// finish computes what needs all rows.
func (m *sampleStats) finish() {
	slices.Sort(m.squares)
	first, _ := slices.BinarySearch(m.squares, math.SmallestNonzeroFloat64)
	m.zero = int64(first)
	if nonzero := m.squares[first:]; len(nonzero) > 0 {
		m.median = math.Sqrt(nonzero[(len(nonzero)-1)/2])
	}
	m.hugeShare = shareAbove(m.squares, hugeNorms*m.median)
	for i := range m.mean {
		m.mean[i] /= float64(m.rows)
	}
	if m.square > 0 {
		for i := range m.dims {
			m.dims[i] /= m.square
		}
	}
}

// shareAbove returns the share of the sum of squared norms that is of rows with a norm
// above limit.
func shareAbove(squares []float64, limit float64) float64 {
	var all, above float64
	for _, v := range squares {
		all += v
		if math.Sqrt(v) > limit {
			above += v
		}
	}
	if all == 0 {
		return 0
	}
	return above / all
}

// percentile returns the norm that the share p of the rows of the sample do not exceed.
func (m *sampleStats) percentile(p float64) float64 {
	i := int(math.Ceil(p*float64(len(m.squares)))) - 1
	return math.Sqrt(m.squares[min(max(i, 0), len(m.squares)-1)])
}

// meanShare returns the share of the mean square that is that of the mean row: 1 if all rows are equal.
func (m *sampleStats) meanShare() float64 {
	var sum float64
	for _, v := range m.mean {
		sum += v * v
	}
	if m.square == 0 {
		return 0
	}
	return min(1, sum/m.meanSquare())
}

// maxHeldOut is the size from which on a number of a held-out row is an error. Beyond it,
// the products of a row with weights of a usual size do not fit in float32.
const maxHeldOut = 1e30

// readHeldOut reads every held-out row as evaluation will. It sets held to the share of
// their sum of squares that is of huge rows, and far. If some are not finite, the error
// names one in each file: else every run would find that out at its end. So it would with
// numbers above maxHeldOut. Rows of synthetic data are finite by construction, and not
// read here.
func (s *Set) readHeldOut(ctx context.Context) error {
	if s.shards == nil {
		return nil
	}
	type part struct {
		rowStats
		huge float64
		far  []distance
	}
	d := s.src.dim()
	limit := hugeNorms * s.sample.median * s.info.Scale
	var all part
	err := inOrder(ctx, s.opts.Workers, s.info.EvalRows, scanChunk, func(from, to int64) (m part) {
		x, buf := make([]float32, d), make([]byte, widest*d)
		for i := from; i < to && m.err == nil; i++ {
			sum, ok := m.add(x, s.src.read(s.order.base(i), x, s.scale, buf))
			if ok && i < maxDistances {
				m.far = append(m.far, distance{s.fromMean(x), sum})
			}
			if math.Sqrt(sum) > limit {
				m.huge += sum
			}
		}
		return m
	}, func(o part) {
		all.merge(o.rowStats)
		all.huge += o.huge
		all.far = append(all.far, o.far...)
	})
	if err == nil {
		err = all.err
	}
	if err == nil {
		err = perFile(all.bad)
	}
	if largest := max(all.max, -all.min); err == nil && largest > maxHeldOut {
		err = s.errorf("the held-out rows have numbers as large as %g, with which float32 arithmetic overflows: "+
			"leave such rows out (data.max_norm), or set normalize to mean_square if all rows are as large", largest)
	}
	if err != nil || all.square == 0 {
		return err
	}
	s.square = all.square / float64(all.rows)
	s.held, s.far = min(1, all.huge/all.square), farRows(all.far, s.info.Scale)
	return nil
}

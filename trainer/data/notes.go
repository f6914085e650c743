package data

import (
	"fmt"
	"slices"
	"strings"
)

const (
	// repeatedNote is the share of the held-out rows, and zeroNote that of the sample, from
	// which on a note says that rows are repeated, or hold only zeros.
	repeatedNote = 0.1
	zeroNote     = 0.1

	// A note names up to maxDims dimensions that hold most of the mean square together, but
	// not more than one in dimsPart: a few of very few dimensions always do.
	maxDims  = 4
	dimsPart = 16
	fewDims  = 8 // rows of fewer numbers have no such note
)

// describe adds to the notes what a person should know of the rows.
func (s *Set) describe() {
	notes := slices.Clone(s.info.Notes)
	add := func(format string, a ...any) { notes = append(notes, fmt.Sprintf(format, a...)) }
	huge := s.info.HugeShare > hugeNote
	if huge {
		where := "the rows"
		if s.sample.hugeShare <= hugeNote {
			where = "the held-out rows"
		}
		hint := "data.max_norm: 10x_median leaves them out"
		if s.info.MaxNorm > 0 {
			hint = fmt.Sprintf("the data.max_norm of %.4g keeps them: give a smaller one", s.info.MaxNorm)
		}
		add("%.0f%% of the mean square of %s is in rows of over %d times the median norm (%.4g), such as attention "+
			"sinks: losses and metrics are about those rows; %s", 100*s.info.HugeShare, where, hugeNorms,
			s.info.MedianNorm, hint)
	}
	s.info.FarRows = s.far.rows
	if f := s.far; f.rows > 0 && !huge {
		add("half of the variance of the held-out rows is in %d of %d of them, with norms of %.4g and more (the median is "+
			"%.4g): nmse is about such rows; data.max_norm leaves out rows of larger norms",
			f.rows, f.of, f.norm, s.info.MedianNorm)
	}
	s.noteRoom(add)
	if dims, share := s.sample.largeDims(); dims != nil && !huge {
		add("%.0f%% of the mean square of the rows is in %s of %d: losses and metrics are mostly about so few numbers; "+
			"scale or leave out such dimensions when you write shards", 100*share, plural("dimension", dims), s.info.Dim)
	}
	if n := s.sample.rows; float64(s.sample.zero) > zeroNote*float64(n) {
		add("%.0f%% of the rows are all zeros, such as those of padding: leave them out when you write shards",
			100*float64(s.sample.zero)/float64(n))
	}
	if n := s.info.EvalRepeated; float64(n) > repeatedNote*float64(s.info.EvalRows) {
		add("%d of %d held-out rows are training rows too: metrics are not of unseen rows there; "+
			"see that no shard holds the rows of others", n, s.info.EvalRows)
	}
	s.info.Notes = notes
}

// largeDims returns the fewest dimensions that hold more than hugeNote of the mean square
// together, if they are few, and their share.
func (m *sampleStats) largeDims() (dims []int, share float64) {
	if len(m.dims) < fewDims {
		return nil, 0
	}
	most := min(maxDims, max(1, len(m.dims)/dimsPart))
	for range most {
		dim := -1
		for i, v := range m.dims {
			if !slices.Contains(dims, i) && (dim < 0 || v > m.dims[dim]) {
				dim = i
			}
		}
		dims = append(dims, dim)
		if share += m.dims[dim]; share > hugeNote {
			slices.Sort(dims)
			return dims, min(1, share)
		}
	}
	return nil, 0
}

// plural names numbered things, as in "dimension 3" and "dimensions 3 and 7".
func plural(word string, numbers []int) string {
	if len(numbers) == 1 {
		return fmt.Sprintf("%s %d", word, numbers[0])
	}
	var words []string
	for _, n := range numbers {
		words = append(words, fmt.Sprint(n))
	}
	last := len(words) - 1
	return fmt.Sprintf("%ss %s and %s", word, strings.Join(words[:last], ", "), words[last])
}

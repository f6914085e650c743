package data

import (
	"cmp"
	"math"
	"slices"
)

// A note says where a few held-out rows, at most one in farPart, hold more than half of
// their variance. It covers rows that are not huge but far from the mean, such as
// attention sinks where all rows have a large mean in common. maxDistances bounds the
// held-out rows that are looked at, and farLeast are needed.
const (
	farPart      = 20
	farLeast     = 100
	maxDistances = 1 << 20
)

// A distance says how far a row is from the mean of the sample: square is of that, norm of
// the row itself, both squared.
type distance struct{ square, norm float64 }

// far describes the fewest held-out rows that hold more than half of the variance, if they
// are few.
type far struct {
	rows, of int64   // 0 if they are not few
	norm     float64 // the smallest of their norms, as stored
}

// fromMean returns the squared distance of a row, as training sees it, from the mean.
func (s *Set) fromMean(x []float32) (sum float64) {
	for i, v := range x {
		d := float64(v) - s.info.Scale*s.sample.mean[i]
		sum += d * d
	}
	return sum
}

// farRows finds the rows that are farthest from the mean. It sorts list.
func farRows(list []distance, scale float64) (f far) {
	if len(list) < farLeast {
		return f
	}
	var all, sum float64
	for _, d := range list {
		all += d.square
	}
	slices.SortFunc(list, func(a, b distance) int { return cmp.Compare(b.square, a.square) })
	least := math.Inf(1)
	for i, d := range list[:len(list)/farPart] {
		least = min(least, d.norm)
		if sum += d.square; sum > all/2 {
			return far{int64(i) + 1, int64(len(list)), math.Sqrt(least) / scale}
		}
	}
	return f
}

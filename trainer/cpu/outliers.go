package cpu

import "slices"

// Some coordinates of a token can be hundreds of times the others: the massive
// activations of transformers. Rounding to 16 bits by the norm of the whole row would
// lose the others, and the bounds would let many latents through. So these coordinates,
// the row's outliers, are split off. The rest is screened as a row of its own, with its
// own norm, and the outliers' part of the product is added in float32.
//
// An example: D = 4 and x = (0.5, 300, −0.2, 0.1). The outlier is 300. The rest is
// (0.5, 0, −0.2, 0.1), of norm 0.55: it is rounded to units of 0.55/32767 and not of
// 300/32767.
//
// A panel of tokens keeps the union of its rows' outliers, so that the kernel of the
// float32 product adds them for all its rows at once:
//
//	row 0: 300 at 1              columns 1, 5
//	row 1: 200 at 1, −90 at 5    x at 1  300 200 0 …
//	the other rows: none         x at 5    0 −90 0 …

// An outlierPanel holds what is split off a panel of tokens: the rows' outliers, and
// all rows' numbers at the encoder's wide columns (see columns.go).
type outlierPanel struct {
	columns []int32   // [n] the coordinates, each once
	x       []float32 // [n][mr] the rows' numbers; 0 where nothing is split off the row
}

// reset empties p.
func (p *outlierPanel) reset() { p.columns, p.x = p.columns[:0], p.x[:0] }

// add notes coordinate j of row r, which is x.
func (p *outlierPanel) add(j int32, r int, x float32) {
	at := slices.Index(p.columns, j)
	if at < 0 {
		at = len(p.columns)
		p.columns = append(p.columns, j)
		p.x = append(p.x, make([]float32, mr)...)
	}
	p.x[at*mr+r] = x
}

// mostOutliers returns how many outliers a row of width d can have.
func mostOutliers(d int) int { return max(4, min(d/32, 16)) }

// outlierShare returns the least share that the largest outlier has of a row's square:
// if at most n coordinates hold three quarters of it, one of them holds 3/(4n).
func outlierShare(most int) float64 { return 3 / (4 * float64(most)) }

// hasOutliers reports whether a row may have outliers. square is at most its squared
// norm. Ordinary rows cost no more than this.
func hasOutliers(k *kernels, row []float32, square float64, most int) bool {
	largest := float64(k.largest(row))
	return square >= minNorm*minNorm && square < maxNorm*maxNorm && largest*largest >= outlierShare(most)*square
}

// splitOutliers sets outliers in rest to 0, appends their coordinates to found[:0], and
// returns them. square is ‖rest‖². If the norm of what is left is not at most half of
// what it was, it returns none, and rest is then of no use. Which coordinates are split
// off is only a matter of speed: the bounds hold for every choice.
func splitOutliers(rest []float32, square float64, most int, found []int32) []int32 {
	found = found[:0]
	share := outlierShare(most)
	// The outliers of the second size are seen when those of the first are gone.
	left := square
	for n := -1; n < len(found) && len(found) < most; {
		n = len(found)
		for j, v := range rest {
			if v != 0 && float64(v)*float64(v) >= share*left && len(found) < most {
				found = append(found, int32(j))
				rest[j] = 0
			}
		}
		left = 0
		for _, v := range rest {
			left += float64(v) * float64(v)
		}
	}
	if 4*left > square {
		return found[:0]
	}
	return found
}

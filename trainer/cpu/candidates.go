package cpu

import (
	"math"
	"math/bits"
	"slices"
)

// The candidates of a token are the latents that may be among its k largest, as far
// as the screening has come. An example with one token, k = 2, room for four
// candidates, tiles of two latents (in truth nr) and a margin of 0.1, so that a value
// lies in [u − 0.2, u] for its upper bound u:
//
//	latents  bounds u    candidates by upper bound
//	0, 1     0.90 0.30   0:0.90 1:0.30
//	2, 3     0.85 0.60   0:0.90 1:0.30 2:0.85 3:0.60        there is no more room: prune
//	         prune       0:0.90 2:0.85                      the cutoff is 0.65
//	4, 5     0.50 0.95   0:0.90 2:0.85 5:0.95               0.50 is not above the cutoff
//	end      evaluate    0:0.75 2:0.84 5:0.80               now the float32 values
//	         select      2:0.84 5:0.80                      in order of latent
//
// prune: the two largest bounds are 0.90 and 0.85, so two values are at least
// 0.85 − 0.2 = 0.65. Latents 1 and 3 have values of at most 0.30 and 0.60: each comes
// after two others, whatever the values are. Of the six latents three were evaluated.
// Latent 0 had a higher bound than latent 2, and a lower value: bounds alone would
// have selected it.

// An evaluator knows the values behind the upper bounds of a token.
type evaluator interface {
	// lowerBound returns a number ≥ 0 that no value of the keys in bounds is below.
	// Keys of latents up to exactTo hold values, the others upper bounds.
	lowerBound(row int, bounds []key, exactTo int) float32

	// evaluate replaces upper bounds by values in place, leaves out those that are
	// not above 0, and returns the rest. NaN stays.
	evaluate(row int, bounds []key) []key
}

// candidates selects the k largest positive values of each of a few rows, while
// upper bounds of them arrive in rising order of latent. A row gathers candidates
// until it has no more room. Then it is pruned, which raises the cutoff that a later
// bound has to exceed. If too many are left, they are evaluated.
type candidates struct {
	k, room int
	keys    []key     // [rows][room]: values, then upper bounds, in order of latent
	n       []int     // [rows] keys gathered
	exact   []int     // [rows] how many of them, the first ones, are values
	cutoff  []float32 // [rows] only bounds above it are gathered
	scratch []key     // [room]
}

// candidateRoom returns how many candidates a row of k among n latents has room for.
// More room means that rows are pruned less often, but that cutoffs rise later.
func candidateRoom(k, n int) int {
	return min(max(2*k, k+128), roundUp(n, nr)) + nr
}

// reset empties c and makes room for rows of k among n latents each.
func (c *candidates) reset(rows, k, n int) {
	c.k, c.room = k, candidateRoom(k, n)
	padded := roundUp(rows, mr)
	c.keys = resize(c.keys, padded*c.room)
	c.n = resize(c.n, padded)
	c.exact = resize(c.exact, padded)
	c.cutoff = resize(c.cutoff, padded)
	c.scratch = resize(c.scratch, c.room)
	clear(c.n)
	clear(c.exact)
	clear(c.cutoff[:rows])
	for i := rows; i < padded; i++ {
		c.cutoff[i] = float32(math.Inf(1)) // padding gathers nothing
	}
}

// add gathers those of nr bounds whose bit of hits is set. bounds[0] is of latent
// first. The caller sets a bit where the bound is above cutoff[row] or NaN.
func (c *candidates) add(row int, hits uint32, bounds *[nr]float32, first int, e evaluator) {
	n := c.n[row]
	keys := c.keys[row*c.room : (row+1)*c.room]
	if n+nr > len(keys) {
		c.prune(row, e)
		if c.n[row] > (c.k+c.room-nr)/2 { // so many that it would soon be pruned again
			c.evaluate(row, e)
		}
		n = c.n[row]
	}
	for ; hits != 0; hits &= hits - 1 {
		j := bits.TrailingZeros32(hits) & (nr - 1)
		keys[n] = keyOf(bounds[j], first+j)
		n++
	}
	c.n[row] = n
}

// prune finds a number that at least k values are not below, and drops the
// candidates whose bounds are below it: each comes after those k. The number becomes
// the cutoff. A later bound must exceed it, since a latent with an equal value comes
// after the k earlier latents.
func (c *candidates) prune(row int, e evaluator) {
	keys := c.keys[row*c.room:][:c.n[row]]
	if len(keys) <= c.k {
		return
	}
	exact, last, top := keys[:c.exact[row]], -1, append(c.scratch[:0], keys...)
	if len(exact) > 0 {
		last = exact[len(exact)-1].latent()
	}
	// A few more than k are as good, and found faster.
	cutoff := e.lowerBound(row, top[:largestFirst(top, c.k, c.k+c.k/8)], last)
	least := keyOf(cutoff, math.MaxUint32)
	c.cutoff[row] = max(c.cutoff[row], cutoff)
	c.exact[row] = len(notBelow(exact, least))
	c.n[row] = len(append(keys[:c.exact[row]], notBelow(keys[len(exact):], least)...))
}

// evaluate computes the values of a row's candidates and keeps the k largest, or as
// many as are positive, in order of latent.
func (c *candidates) evaluate(row int, e evaluator) {
	keys := c.keys[row*c.room:][:c.n[row]]
	exact := c.exact[row]
	keys = append(keys[:exact], e.evaluate(row, keys[exact:])...)
	if len(keys) > c.k {
		top := append(c.scratch[:0], keys...)
		least := slices.Min(top[:largestFirst(top, c.k, c.k)])
		keys = notBelow(keys, least)
		c.cutoff[row] = max(c.cutoff[row], least.act())
	}
	c.n[row], c.exact[row] = len(keys), len(keys)
}

// selected returns a row's k largest positive values, or as many as there are, in
// order of latent.
func (c *candidates) selected(row int, e evaluator) []key {
	c.prune(row, e)
	c.evaluate(row, e)
	return c.keys[row*c.room:][:c.n[row]]
}

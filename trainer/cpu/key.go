package cpu

import (
	"math"
	"math/bits"
)

// A key is an activation with its latent, in one number that orders them: the upper
// 32 bits are those of the float32, which rise with the value of a positive one, and
// the lower 32 bits the complement of the latent, so that of equal activations the
// lowest latent is the largest key. Keys of one row differ. NaN of either sign lies
// above +Inf, so that it is always selected and seen.
//
//	keyOf(2, 7) > keyOf(1, 3) > keyOf(1, 4)
type key uint64

func keyOf(act float32, latent int) key {
	return key(math.Float32bits(act))<<32 | key(^uint32(latent))
}

func (k key) act() float32 { return math.Float32frombits(uint32(k >> 32)) }
func (k key) latent() int  { return int(^uint32(k)) }
func (k key) isNaN() bool  { return k>>32 > 0x7f800000 }

// notBelow keeps the keys that are at least least, in order and in place.
func notBelow(keys []key, least key) []key {
	n := 0
	for _, x := range keys {
		keys[n] = x
		if x >= least {
			n++
		}
	}
	return keys[:n]
}

// largestFirst reorders keys so that the n largest come first, in any order, for an
// n with k ≤ n ≤ most that it returns; 1 ≤ k ≤ len(keys). The keys must differ. It is
// quickselect, with the median of three keys as the pivot and no branch that depends
// on a comparison.
//
//	keys [5 1 4 2 3], k = 2, most = 2: the pivot 4 gives [5 | 4 | 1 3 2]; n = 2.
func largestFirst(keys []key, k, most int) int {
	lo, hi := 0, len(keys) // the hi largest come first, the lo largest before the rest
	for hi > most {
		rest := keys[lo:hi]
		last := len(rest) - 1
		a, b, c := rest[0], rest[last/2], rest[last]
		switch pivot := max(min(a, b), min(max(a, b), c)); pivot {
		case a:
			rest[0], rest[last] = c, a
		case b:
			rest[last/2], rest[last] = c, b
		}
		pivot, n := rest[last], 0
		for i, x := range rest[:last] {
			rest[i], rest[n] = rest[n], x
			_, above := bits.Sub64(uint64(pivot), uint64(x), 0)
			n += int(above)
		}
		rest[n], rest[last] = pivot, rest[n]
		// The first n are above the pivot, which is at index n now.
		if lo+n >= k {
			hi = lo + n
		} else {
			lo += n + 1
			if lo >= k {
				hi = lo
			}
		}
	}
	return hi
}

package cpu

import (
	"math"
	"math/bits"
	"slices"
)

// A key orders candidates: the bits of a positive float32 rise with its value,
// and the complement of the latent breaks ties in favour of the lowest. Keys of
// one row differ. NaN of either sign lies above +Inf, so that it is always kept
// and seen.
type key uint64

func keyOf(act float32, latent int) key {
	return key(math.Float32bits(act))<<32 | key(^uint32(latent))
}

func (k key) act() float32 { return math.Float32frombits(uint32(k >> 32)) }
func (k key) latent() int  { return int(^uint32(k)) }
func (k key) isNaN() bool  { return k>>32 > 0x7f800000 }

// A judge knows more of the values that a sieve is given upper bounds of.
type judge interface {
	// atLeast returns a number from 0 up that none of the values under the upper
	// bounds is below. Up to latent decided, they are the values.
	atLeast(row int, bounds []key, decided int) float32

	// decide replaces upper bounds by values, dropping those that are not above 0,
	// and returns what is left. NaN stays.
	decide(row int, bounds []key) []key
}

// A sieve keeps the k largest positive values of each of a few rows while upper
// bounds of them stream past in rising order of latent. A row gathers bounds. When
// it has no more room, those that cannot be among the k largest are dropped, which
// raises the value that a later bound has to exceed; where too many are left, they
// are decided.
type sieve struct {
	k, room int
	keys    []key     // [rows][room] values, then bounds, in order of latent
	n       []int     // keys gathered in each row
	decided []int     // of them, values
	above   []float32 // only bounds above it are of interest
	scratch []key     // [room]
}

// sieveRoom returns the keys to gather for a row before it is cut: more room means
// fewer cuts but a threshold that rises later. all is the number of latents.
func sieveRoom(k, all int) int {
	return min(max(2*k, k+128), roundUp(all, nr)) + nr
}

// shape readies the sieve for rows of k among all latents, and empties it.
func (s *sieve) shape(rows, k, all int) {
	s.k, s.room = k, sieveRoom(k, all)
	panels := roundUp(rows, mr)
	s.keys = resize(s.keys, panels*s.room)
	s.n = resize(s.n, panels)
	s.decided = resize(s.decided, panels)
	s.above = resize(s.above, panels)
	s.scratch = resize(s.scratch, s.room)
	clear(s.n)
	clear(s.decided)
	clear(s.above[:rows])
	for i := rows; i < panels; i++ {
		s.above[i] = float32(math.Inf(1)) // shut: padding
	}
}

// add takes the hits among nr bounds, the first of which is of latent first.
func (s *sieve) add(row int, hits uint32, bounds *[nr]float32, first int, j judge) {
	n := s.n[row]
	keys := s.keys[row*s.room : (row+1)*s.room]
	if n+nr > len(keys) {
		s.cut(row, j)
		if s.n[row] > (s.k+s.room-nr)/2 { // too many to be cut again soon
			s.decide(row, j)
		}
		n = s.n[row]
	}
	for ; hits != 0; hits &= hits - 1 {
		j := bits.TrailingZeros32(hits) & (nr - 1)
		keys[n] = keyOf(bounds[j], first+j)
		n++
	}
	s.n[row] = n
}

// cut drops the bounds that are below what k values are not below. A later latent
// has to exceed that: with a value equal to it, it comes after k others.
func (s *sieve) cut(row int, j judge) {
	keys := s.keys[row*s.room:][:s.n[row]]
	if len(keys) <= s.k {
		return
	}
	decided, last, top := keys[:s.decided[row]], -1, append(s.scratch[:0], keys...)
	if len(decided) > 0 {
		last = decided[len(decided)-1].latent()
	}
	bar := j.atLeast(row, top[:largest(top, s.k, s.k+s.k/8)], last)
	least := keyOf(bar, math.MaxUint32)
	s.above[row] = max(s.above[row], bar)
	s.decided[row] = len(notBelow(decided, least))
	s.n[row] = len(append(keys[:s.decided[row]], notBelow(keys[len(decided):], least)...))
}

// decide leaves a row's k largest values, or as many as are positive, in order of
// latent.
func (s *sieve) decide(row int, j judge) {
	keys := s.keys[row*s.room:][:s.n[row]]
	decided := s.decided[row]
	keys = append(keys[:decided], j.decide(row, keys[decided:])...)
	if len(keys) > s.k {
		top := append(s.scratch[:0], keys...)
		least := slices.Min(top[:largest(top, s.k, s.k)])
		keys = notBelow(keys, least)
		s.above[row] = max(s.above[row], least.act())
	}
	s.n[row], s.decided[row] = len(keys), len(keys)
}

// kept returns a row's k largest positive values, or as many as there are, in
// order of latent.
func (s *sieve) kept(row int, j judge) []key {
	s.cut(row, j)
	s.decide(row, j)
	return s.keys[row*s.room:][:s.n[row]]
}

// notBelow keeps the keys from least on, in order, in place.
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

// largest reorders keys so that the first n are the largest, and returns n, for
// some k ≤ n ≤ most; 1 ≤ k ≤ len(keys). Keys differ. It is quickselect with the
// middle of three as pivot and no branch that depends on a comparison.
func largest(keys []key, k, most int) int {
	lo, hi := 0, len(keys)
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
		// The first n are above the pivot, which is in its place.
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

package data

import (
	"math/bits"

	"github.com/topksweep/sweep/trainer"
)

const permRounds = 6

// A perm is a pseudorandom permutation of [0, n) that takes no memory for its
// elements. It is an alternating Feistel network (Luby, Rackoff 1988) over the
// smallest power of two that is at least n, with cycle walking (Black, Rogaway 2002)
// where that is more than n.
//
// The network splits a number in an upper and a lower half. Each round changes one
// half by an xor with a function of the other half, so that the same xor would undo
// it: the whole is a permutation of [0, 2^width). It has six rounds; four are enough
// for round functions that are random. Results of n or more are put in again until one
// is below n, which takes fewer than two passes on average.
//
// An example with two rounds, n = 6, so width = 3, and x = up·4 + lo:
//
//	up ^= [0 1 1 0][lo], then lo ^= [2 1][up]
//	x = 1: up, lo = 0, 1 → 1, 1 → 1, 0, which is 4
//	x         0 1 2 3 4 5 6 7
//	becomes   2 4 7 1 5 3 0 6
//	at(2): 2 → 7 → 6 → 0, since 7 and 6 are not below n; so at is 2 4 0 1 5 3
type perm struct {
	n               uint64
	low             uint // bits of the lower half
	lowMask, upMask uint64
	keys            [permRounds]uint64
}

// newPerm returns the permutation of [0, n), n ≥ 1, that seed, stream and index name.
func newPerm(n int64, seed, stream, index uint64) perm {
	width := uint(bits.Len64(uint64(n - 1)))
	low := (width + 1) / 2
	p := perm{n: uint64(n), low: low, lowMask: 1<<low - 1, upMask: 1<<(width-low) - 1}
	key := trainer.Rand(seed, stream, index)
	for i := range p.keys {
		p.keys[i] = trainer.Mix(key ^ uint64(i))
	}
	return p
}

// at returns element i, for 0 ≤ i < n.
func (p *perm) at(i int64) int64 {
	x := uint64(i)
	for {
		up, lo := x>>p.low, x&p.lowMask
		for r := 0; r < permRounds; r += 2 {
			up ^= trainer.Mix(p.keys[r]^lo) & p.upMask
			lo ^= trainer.Mix(p.keys[r+1]^up) & p.lowMask
		}
		if x = up<<p.low | lo; x < p.n {
			return int64(x)
		}
	}
}

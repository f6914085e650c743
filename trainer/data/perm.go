package data

import (
	"math/bits"

	"github.com/topksweep/sweep/trainer"
)

const permRounds = 6

// A perm is a pseudorandom permutation of [0, n) in constant memory: an
// alternating Feistel network (Luby, Rackoff 1988; six rounds, where four are
// enough for halves that are random functions) over the smallest power of two
// that holds n, with cycle walking (Black, Rogaway 2002) for the rest, which
// takes fewer than two rounds of it on average.
type perm struct {
	n               uint64
	low             uint // bits of the lower half
	lowMask, upMask uint64
	keys            [permRounds]uint64
}

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

// at returns the i-th element, 0 ≤ i < n.
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

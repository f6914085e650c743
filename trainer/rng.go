package trainer

// Random numbers are a pure function of (seed, stream, index). Any worker can draw
// any of them in any order, and a resumed run has no generator to restore.

// Mix is SplitMix64's finaliser (Steele, Lea, Flood 2014): a bijection of 64 bits.
func Mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Rand returns the index-th 64 random bits of a stream of a seed.
func Rand(seed, stream, index uint64) uint64 {
	return Mix(Mix(Mix(seed)^stream) ^ index)
}

// Uniform returns the index-th number in [0,1) of a stream of a seed, a
// multiple of 2^-53.
func Uniform(seed, stream, index uint64) float64 {
	return float64(Rand(seed, stream, index)>>11) * (1.0 / (1 << 53))
}

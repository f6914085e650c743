package data

import "math"

// leastExact returns the dtype of the shards that keeps the fewest digits.
func leastExact(list []shard) dtype {
	least := f32
	for i := range list {
		switch list[i].dtype {
		case bf16:
			return bf16
		case f16:
			least = f16
		}
	}
	return least
}

// round returns the value of t that is nearest to v, of two the one with the even last
// bit, as programs do that convert arrays. Beyond the largest number of F16 the exponent
// goes on.
func (t dtype) round(v float32) float32 {
	switch {
	case t == bf16:
		return dropBits(v, 16)
	case t == f16 && math.Abs(float64(v)) < 0x1p-14: // subnormals: multiples of 2^-24
		sum := float32(math.Abs(float64(v))) + 0.5
		return float32(math.Copysign(float64(sum-0.5), float64(v)))
	case t == f16:
		return dropBits(v, 13)
	}
	return v
}

// dropBits rounds away the last n bits of the mantissa.
func dropBits(v float32, n int) float32 {
	b := math.Float32bits(v)
	b += 1<<(n-1) - 1 + b>>n&1
	return math.Float32frombits(b &^ (1<<n - 1))
}

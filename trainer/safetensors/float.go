package safetensors

import "math"

// Float16 returns the exact value of a number of the dtype F16, an IEEE 754 binary16. NaN keeps its payload.
func Float16(h uint16) float32 {
	sign, m := uint32(h&0x8000)<<16, uint32(h&0x7fff)
	switch {
	case m < 0x0400: // zero and subnormals: multiples of 2^-24
		return math.Float32frombits(sign | math.Float32bits(float32(m)*0x1p-24))
	case m < 0x7c00: // the exponent's bias grows from 15 to 127
		return math.Float32frombits(sign | m<<13 + (127-15)<<23)
	}
	return math.Float32frombits(sign | m<<13 | 0x7f800000)
}

// BFloat16 returns the exact value of a number of the dtype BF16, which is the upper half of a float32.
func BFloat16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

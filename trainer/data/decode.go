package data

import (
	"encoding/binary"
	"math"
)

// A dtype is how a number is stored, by its name in safetensors.
type dtype string

const (
	f32  dtype = "F32"
	f16  dtype = "F16"
	bf16 dtype = "BF16"
)

func (t dtype) size() int64 {
	if t == f32 {
		return 4
	}
	return 2
}

// decode fills dst with the little-endian numbers of src times scale and
// reports whether all of them are finite.
func (t dtype) decode(dst []float32, src []byte, scale float32) bool {
	// The largest finite float32 plus one unit of the exponent is just below the
	// sign bit, so or-ing the sums finds Inf and NaN without a branch.
	var over uint32
	switch t {
	case f32:
		for i := range dst {
			v := math.Float32frombits(binary.LittleEndian.Uint32(src)) * scale
			over |= math.Float32bits(v)&0x7fffffff + 0x00800000
			dst[i], src = v, src[4:]
		}
	case f16:
		for i := range dst {
			v := fromF16(binary.LittleEndian.Uint16(src)) * scale
			over |= math.Float32bits(v)&0x7fffffff + 0x00800000
			dst[i], src = v, src[2:]
		}
	case bf16:
		for i := range dst {
			v := fromBF16(binary.LittleEndian.Uint16(src)) * scale
			over |= math.Float32bits(v)&0x7fffffff + 0x00800000
			dst[i], src = v, src[2:]
		}
	}
	return over>>31 == 0
}

// fromF16 is exact for every IEEE 754 binary16; NaN keeps its payload.
func fromF16(h uint16) float32 {
	sign, m := uint32(h&0x8000)<<16, uint32(h&0x7fff)
	switch {
	case m < 0x0400: // zero and subnormals: multiples of 2^-24
		return math.Float32frombits(sign | math.Float32bits(float32(m)*0x1p-24))
	case m < 0x7c00: // the exponent's bias grows from 15 to 127
		return math.Float32frombits(sign | m<<13 + (127-15)<<23)
	}
	return math.Float32frombits(sign | m<<13 | 0x7f800000)
}

// fromBF16 is exact: bfloat16 is the upper half of a float32.
func fromBF16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

package data

import (
	"encoding/binary"
	"math"

	"github.com/topksweep/sweep/trainer/safetensors"
)

// A dtype says how a number is stored. Its value is the name that safetensors has for it.
type dtype string

const (
	f32  dtype = "F32"
	f16  dtype = "F16"
	bf16 dtype = "BF16"
	f64  dtype = "F64" // given as f32
)

// widest is the size of the largest number that files hold, in bytes.
const widest = 8

// size returns the bytes of one number.
func (t dtype) size() int64 {
	switch t {
	case f64:
		return 8
	case f32:
		return 4
	}
	return 2
}

// f16Values holds the exact value of each binary16 number, by its bits: a look-up takes
// half the time of the arithmetic.
type f16Values [1 << 16]float32

func newF16Values() *f16Values {
	var t f16Values
	for i := range t {
		t[i] = safetensors.Float16(uint16(i))
	}
	return &t
}

// decode fills dst with the little-endian numbers of src times scale, and reports
// whether all results are finite. A float64 is rounded to float32 first. half is used for F16 only.
func (t dtype) decode(dst []float32, src []byte, scale float32, half *f16Values) bool {
	// v−v is 0 for finite v and NaN for others, without a branch. With four sums, an
	// addition need not wait for the one before it.
	var a, b, c, e float32
	switch t {
	case f32:
		for len(dst) >= 4 && len(src) >= 16 {
			d, s := (*[4]float32)(dst), (*[16]byte)(src)
			d[0] = math.Float32frombits(binary.LittleEndian.Uint32(s[0:])) * scale
			d[1] = math.Float32frombits(binary.LittleEndian.Uint32(s[4:])) * scale
			d[2] = math.Float32frombits(binary.LittleEndian.Uint32(s[8:])) * scale
			d[3] = math.Float32frombits(binary.LittleEndian.Uint32(s[12:])) * scale
			a, b, c, e = a+(d[0]-d[0]), b+(d[1]-d[1]), c+(d[2]-d[2]), e+(d[3]-d[3])
			dst, src = dst[4:], src[16:]
		}
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:])) * scale
			a += dst[i] - dst[i]
		}
	case f16:
		for len(dst) >= 4 && len(src) >= 8 {
			d, s := (*[4]float32)(dst), (*[8]byte)(src)
			d[0] = half[binary.LittleEndian.Uint16(s[0:])] * scale
			d[1] = half[binary.LittleEndian.Uint16(s[2:])] * scale
			d[2] = half[binary.LittleEndian.Uint16(s[4:])] * scale
			d[3] = half[binary.LittleEndian.Uint16(s[6:])] * scale
			a, b, c, e = a+(d[0]-d[0]), b+(d[1]-d[1]), c+(d[2]-d[2]), e+(d[3]-d[3])
			dst, src = dst[4:], src[8:]
		}
		for i := range dst {
			dst[i] = half[binary.LittleEndian.Uint16(src[2*i:])] * scale
			a += dst[i] - dst[i]
		}
	case bf16:
		for len(dst) >= 4 && len(src) >= 8 {
			d, s := (*[4]float32)(dst), (*[8]byte)(src)
			d[0] = safetensors.BFloat16(binary.LittleEndian.Uint16(s[0:])) * scale
			d[1] = safetensors.BFloat16(binary.LittleEndian.Uint16(s[2:])) * scale
			d[2] = safetensors.BFloat16(binary.LittleEndian.Uint16(s[4:])) * scale
			d[3] = safetensors.BFloat16(binary.LittleEndian.Uint16(s[6:])) * scale
			a, b, c, e = a+(d[0]-d[0]), b+(d[1]-d[1]), c+(d[2]-d[2]), e+(d[3]-d[3])
			dst, src = dst[4:], src[8:]
		}
		for i := range dst {
			dst[i] = safetensors.BFloat16(binary.LittleEndian.Uint16(src[2*i:])) * scale
			a += dst[i] - dst[i]
		}
	case f64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:]))) * scale
			a += dst[i] - dst[i]
		}
	}
	return a+b+c+e == 0
}

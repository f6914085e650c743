package data

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/topksweep/sweep/trainer/safetensors"
)

// Every binary16 has the value that IEEE 754 defines.
func TestF16Exhaustive(t *testing.T) {
	half := newF16Values()
	for i := range 1 << 16 {
		h := uint16(i)
		exp, frac := int(h>>10&31), float64(h&0x3ff)
		var want float64
		switch exp {
		case 0:
			want = math.Ldexp(frac, -24)
		case 31:
			want = math.Inf(1)
			if frac != 0 {
				want = math.NaN()
			}
		default:
			want = math.Ldexp(1024+frac, exp-25)
		}
		want = math.Copysign(want, 1-2*float64(h>>15))
		checkHalf(t, f16, half, h, safetensors.Float16(h), want)
	}
}

// Every bfloat16 has the value of its definition: 8 bits of exponent, 7 of fraction.
func TestBF16Exhaustive(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		exp, frac := int(h>>7&255), float64(h&0x7f)
		var want float64
		switch exp {
		case 0:
			want = math.Ldexp(frac, -133)
		case 255:
			want = math.Inf(1)
			if frac != 0 {
				want = math.NaN()
			}
		default:
			want = math.Ldexp(128+frac, exp-134)
		}
		want = math.Copysign(want, 1-2*float64(h>>15))
		checkHalf(t, bf16, nil, h, safetensors.BFloat16(h), want)
	}
}

func checkHalf(t *testing.T, dt dtype, half *f16Values, h uint16, got float32, want float64) {
	t.Helper()
	if math.IsNaN(want) != (got != got) || !math.IsNaN(want) && math.Float64bits(float64(got)) != math.Float64bits(want) {
		t.Errorf("%s %#04x: %v, want %v", dt, h, got, want)
	}
	finite := !math.IsNaN(want) && !math.IsInf(want, 0)
	at := int(h) % 7 // in the unrolled loop or in the loop after it
	var x [7]float32
	var b [14]byte
	binary.LittleEndian.PutUint16(b[2*at:], h)
	if ok := dt.decode(x[:], b[:], 1, half); ok != finite {
		t.Errorf("%s %#04x: decode says finite %v", dt, h, ok)
	}
	if math.Float32bits(x[at]) != math.Float32bits(got) && finite {
		t.Errorf("%s %#04x: decode gives %v, not %v", dt, h, x[at], got)
	}
}

func TestDecodeF32(t *testing.T) {
	for _, tt := range []struct {
		in, scale, want float32
		finite          bool
	}{
		{1.5, 1, 1.5, true},
		{1.5, 2, 3, true},
		{float32(math.Copysign(0, -1)), 1, float32(math.Copysign(0, -1)), true},
		{math.SmallestNonzeroFloat32, 1, math.SmallestNonzeroFloat32, true},
		{math.MaxFloat32, 1, math.MaxFloat32, true},
		{-math.MaxFloat32, 1, -math.MaxFloat32, true},
		{math.MaxFloat32, 1.5, float32(math.Inf(1)), false}, // too large once scaled
		{float32(math.Inf(-1)), 1, float32(math.Inf(-1)), false},
	} {
		for n := 1; n <= 9; n++ {
			for at := range n { // in every column
				x, b := make([]float32, n), make([]byte, 4*n)
				binary.LittleEndian.PutUint32(b[4*at:], math.Float32bits(tt.in))
				ok := f32.decode(x, b, tt.scale, nil)
				if ok != tt.finite || math.Float32bits(x[at]) != math.Float32bits(tt.want) {
					t.Errorf("%v times %v: %v, finite %v", tt.in, tt.scale, x[at], ok)
				}
			}
		}
	}
	for _, bits := range []uint32{0x7fc00000, 0xffc00000, 0x7f800001, 0xff800001} {
		if f32.decode(make([]float32, 1), binary.LittleEndian.AppendUint32(nil, bits), 1, nil) {
			t.Errorf("NaN %#x is taken for finite", bits)
		}
	}
}

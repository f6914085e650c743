package safetensors_test

import (
	"math"
	"testing"

	"github.com/topksweep/sweep/trainer/safetensors"
)

// The ends of the range of float16, and numbers that are none.
func TestFloat16(t *testing.T) {
	for h, want := range map[uint16]float32{
		0x0000: 0, 0x0001: 1.0 / (1 << 24), 0x03ff: 1023.0 / (1 << 24), 0x0400: 1.0 / (1 << 14),
		0x3c00: 1, 0x3c01: 1 + 1.0/1024, 0xc000: -2, 0x7bff: 65504, 0xfbff: -65504,
		0x7c00: float32(math.Inf(1)), 0xfc00: float32(math.Inf(-1)),
	} {
		if got := safetensors.Float16(h); got != want {
			t.Errorf("%04x: %v, not %v", h, got, want)
		}
	}
	if got := safetensors.Float16(0x7e00); got == got {
		t.Errorf("NaN: %v", got)
	}
}

package main

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
	"github.com/topksweep/sweep/trainer/safetensors"
)

// The shards hold the rows of the synthetic data, to the rounding of float16.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	if err := run([]string{dir, "404", "8", "40"}); err != nil {
		t.Fatal(err)
	}
	got, err := data.Open(t.Context(), trainer.DataSpec{Source: dir, EvalTokens: 4}, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	want, err := data.Open(t.Context(), trainer.DataSpec{
		Synthetic: &trainer.Synthetic{
			ActivationDim: 8, Directions: 40, Tokens: 404, Active: 10, Zipf: 0.7, Noise: 0.02, Seed: 1,
		},
		EvalTokens: 1,
	}, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	if got.Rows() != 404 || got.Dim() != 8 {
		t.Fatalf("%d rows of %d", got.Rows(), got.Dim())
	}
	var x, y [8]float32
	half16, full := make([]byte, 16), make([]byte, 32)
	seen := map[[8]float32]bool{}
	for row := range got.Rows() {
		if err := got.ReadStored([]int64{row}, half16); err != nil {
			t.Fatal(err)
		}
		for i := range x {
			x[i] = safetensors.Float16(binary.LittleEndian.Uint16(half16[2*i:]))
		}
		seen[x] = true
	}
	for row := range want.Rows() {
		if err := want.ReadStored([]int64{row}, full); err != nil {
			t.Fatal(err)
		}
		for i := range y {
			v := math.Float32frombits(binary.LittleEndian.Uint32(full[4*i:]))
			y[i] = safetensors.Float16(half(v))
			if diff := math.Abs(float64(y[i] - v)); !(diff <= math.Abs(float64(v))*0x1p-11+0x1p-25) {
				t.Fatalf("row %d: %v is rounded to %v", row, v, y[i])
			}
		}
		delete(seen, y)
	}
	if len(seen) > 0 {
		t.Errorf("%d rows are not of the data", len(seen))
	}
}

// half gives back each float16 that is one, and rounds what lies between two.
func TestHalf(t *testing.T) {
	for h := range uint16(0x7c00) {
		v, next := safetensors.Float16(h), safetensors.Float16(h+1)
		if half(v) != h || half(-v) != h|0x8000 {
			t.Fatalf("%v is %#x, not %#x", v, half(v), h)
		}
		if h+1 == 0x7c00 {
			break
		}
		even := h + h&1
		if middle := v + (next-v)/2; half(middle) != even || half(math.Nextafter32(middle, 0)) != h ||
			half(math.Nextafter32(middle, 1e9)) != h+1 {
			t.Fatalf("near %v: %#x, want %#x", middle, half(middle), even)
		}
	}
}

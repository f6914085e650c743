package trainer_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// someWeights returns weights of width 3 with 2 latents, all different.
func someWeights() trainer.Params {
	p, n := trainer.NewParams(3, 2), float32(0)
	p.Each(3, 2, func(_ string, _ []int, v []float32) {
		for i := range v {
			n++
			v[i] = n / 8
		}
	})
	return p
}

func encodedWeights(t testing.TB, p trainer.Params) []byte {
	t.Helper()
	body, err := trainer.EncodeWeights(3, 2, &p)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(io.NewSectionReader(body, 0, body.Size()))
	if err != nil || int64(len(b)) != body.Size() {
		t.Fatalf("%d bytes of %d: %v", len(b), body.Size(), err)
	}
	return b
}

func TestWeightsRoundTrip(t *testing.T) {
	want := someWeights()
	b := encodedWeights(t, want)
	if again := encodedWeights(t, someWeights()); !bytes.Equal(b, again) {
		t.Error("equal weights have other bytes")
	}
	got := trainer.NewParams(3, 2)
	if err := trainer.DecodeWeights(bytes.NewReader(b), int64(len(b)), 3, 2, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, cut := range []int{0, 7, 20, len(b) - 1} {
		if err := trainer.DecodeWeights(bytes.NewReader(b[:cut]), int64(len(b)), 3, 2, &got); err == nil {
			t.Errorf("%d bytes of %d are read", cut, len(b))
		}
	}
	swapped := trainer.NewParams(2, 3)
	err := trainer.DecodeWeights(bytes.NewReader(b), int64(len(b)), 2, 3, &swapped)
	if !errors.Is(err, trainer.ErrFormat) {
		t.Errorf("other shapes: %v, want ErrFormat", err)
	}
}

func FuzzDecodeWeights(f *testing.F) {
	f.Add(encodedWeights(f, someWeights()))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		p := trainer.NewParams(3, 2)
		if err := trainer.DecodeWeights(bytes.NewReader(b), int64(len(b)), 3, 2, &p); err != nil {
			return
		}
		if n := len(encodedWeights(t, p)); n > len(b) {
			t.Errorf("%d bytes hold weights of %d", len(b), n)
		}
	})
}

func TestScaleBiases(t *testing.T) {
	p := someWeights()
	p.BEnc[1] = 1e-30
	want := someWeights()
	want.BEnc[0] = float32(float64(want.BEnc[0]) * 0.1)
	want.BEnc[1] = float32(float64(float32(1e-30)) * 0.1)
	for i, b := range want.BDec {
		want.BDec[i] = float32(float64(b) * 0.1)
	}
	if err := p.ScaleBiases(0.1); err != nil || !reflect.DeepEqual(p, want) {
		t.Errorf("got %+v, want %+v, %v", p, want, err)
	}
	p.BDec[2] = 1e30
	if err := p.ScaleBiases(1e9); !errors.As(err, new(*trainer.NumericError)) {
		t.Errorf("an overflow gives %v", err)
	}
}

func TestRowNorms(t *testing.T) {
	norms := trainer.NormsOf([]float32{3, 4, 0, 0, 1, 0, 0, 0.5}, 2)
	if want := (trainer.RowNorms{Min: 0, Mean: 6.5 / 4, Max: 5, OffUnit: 3, Zero: 1}); norms != want {
		t.Errorf("norms %+v, want %+v", norms, want)
	}
	if off := norms.Off(); off != 4 {
		t.Errorf("norms of 0 to 5 are off 1 by %v", off)
	}
	if off := (trainer.RowNorms{Min: 0.25, Max: 1.5}).Off(); off != 0.75 {
		t.Errorf("norms of 0.25 to 1.5 are off 1 by %v", off)
	}
	if n := trainer.NormsOf([]float32{1 + 2e-6, 0, 0, 1 - 2e-6}, 2); n.OffUnit != 0 {
		t.Errorf("rows within 1e-5 of unit norm are off: %+v", n)
	}
	if n := trainer.NormsOf([]float32{1 + 2e-5, 0}, 2); n.OffUnit != 1 {
		t.Errorf("a row 2e-5 off is at unit norm: %+v", n)
	}
	if n := trainer.NormsOf([]float32{float32(math.NaN()), 0}, 2); n.OffUnit != 1 {
		t.Errorf("a row with NaN is at unit norm: %+v", n)
	}
	if n := trainer.NormsOf(nil, 2); n != (trainer.RowNorms{}) {
		t.Errorf("of no rows: %+v", n)
	}
}

// A file with a tensor of another type or of another name is none of weights.
func TestOtherTensorsAreNoWeights(t *testing.T) {
	b := encodedWeights(t, someWeights())
	for name, change := range map[string][2]string{
		"name": {`"b_dec"`, `"b_deq"`}, "type": {`"F32"`, `"I32"`},
	} {
		other := bytes.Replace(bytes.Clone(b), []byte(change[0]), []byte(change[1]), 1)
		p := trainer.NewParams(3, 2)
		err := trainer.DecodeWeights(bytes.NewReader(other), int64(len(other)), 3, 2, &p)
		if bytes.Equal(other, b) || !errors.Is(err, trainer.ErrFormat) {
			t.Errorf("another %s: %v, want ErrFormat", name, err)
		}
	}
	p := trainer.NewParams(3, 2)
	err := trainer.DecodeWeights(bytes.NewReader([]byte("no header")), 9, 3, 2, &p)
	if !errors.Is(err, trainer.ErrFormat) {
		t.Errorf("no header: %v, want ErrFormat", err)
	}
}

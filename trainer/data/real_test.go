package data

import (
	"math"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// These are activations of a real transformer, written by deploy/harvest.
func TestRealActivations(t *testing.T) {
	s := open(t, trainer.DataSpec{Source: "testdata/minilm-l3", Normalize: "mean_square"}, Options{})
	i := s.Info()
	if i.Rows != 5000 || i.EvalRows != 500 || i.Dim != 384 || i.DType != "F16" || i.Shards != 1 || i.Bytes != 5000*384*2 {
		t.Errorf("%+v", i)
	}
	// The layer ends in a layer norm, so that the rows' norms hardly differ.
	if !(math.Abs(i.MeanNorm-13.3) < 0.1) || !(math.Abs(i.Scale-1/13.4) < 0.001) {
		t.Errorf("mean norm %v, scale %v", i.MeanNorm, i.Scale)
	}
	x := make([]float32, 4500*384)
	if err := s.Batch(0, 0, x); err != nil {
		t.Fatal(err)
	}
	square := 0.0
	for _, v := range x {
		square += float64(v) * float64(v)
	}
	if !(math.Abs(square/4500-1) < 1e-5) {
		t.Errorf("mean squared norm %v", square/4500)
	}
}

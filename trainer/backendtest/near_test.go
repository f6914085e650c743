package backendtest

import (
	"math"
	"testing"
)

func TestNearSeesNaN(t *testing.T) {
	fake := &testing.T{}
	near(fake, "nan", math.NaN(), 1, 1e-5)
	if !fake.Failed() {
		t.Error("NaN passed for 1")
	}
	fake = &testing.T{}
	nearAll(fake, "nan", []float64{1, math.NaN()}, []float64{1, 2}, 1e-4)
	if !fake.Failed() {
		t.Error("NaN passed for 2")
	}
}

package trainer_test

import (
	"math"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// The threshold is in units of the stored activations, or there is none.
func TestStoredThreshold(t *testing.T) {
	for _, r := range trainer.Recipes() {
		for _, v := range []struct {
			threshold, scale float64
			want             float64 // 0: none
		}{{0.5, 0.125, 4}, {0.5, 1, 0.5}, {-1, 0.125, 0}, {math.NaN(), 1, 0}, {math.Inf(1), 1, 0}, {0.5, 0, 0}} {
			s := &trainer.State{Threshold: float32(v.threshold)}
			got := s.StoredThreshold(r, v.scale)
			switch has := v.want > 0 && r.Name == "upstream"; {
			case has != (got != nil):
				t.Errorf("%s, %+v: %v", r.Name, v, got)
			case has && *got != v.want:
				t.Errorf("%s, %+v: %v", r.Name, v, *got)
			}
		}
	}
}

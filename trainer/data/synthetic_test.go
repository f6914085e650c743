package data

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

func TestProbabilities(t *testing.T) {
	for _, directions := range []int{1, 2, 10, 256, 5000} {
		for _, zipf := range []float64{0, 0.5, 1, 2, 10} {
			for _, share := range []float64{0.001, 0.1, 0.5, 0.99, 1} {
				s := trainer.Synthetic{Directions: directions, Zipf: zipf, Active: share * float64(directions)}
				p, sum := probabilities(s), 0.0
				for i, v := range p {
					sum += v
					if !(v >= 0 && v <= 1) || i > 0 && v > p[i-1] {
						t.Fatalf("%+v: p[%d] = %v after %v", s, i, v, p[max(0, i-1)])
					}
					// Those below 1 follow the power law.
					if i > 0 && p[i-1] < 1 && !(math.Abs(v/p[i-1]-math.Pow(float64(i+1)/float64(i), -zipf)) < 1e-9) {
						t.Fatalf("%+v: p[%d]/p[%d] = %v", s, i, i-1, v/p[i-1])
					}
				}
				if !(math.Abs(sum/s.Active-1) < 1e-9) {
					t.Errorf("%+v: probabilities sum to %v", s, sum)
				}
			}
		}
	}
}

// Over many rows, each direction is active as often as its probability says, and pairs
// of directions are independent.
func TestActiveDirections(t *testing.T) {
	for _, spec := range []trainer.Synthetic{
		{ActivationDim: 2, Directions: 100, Tokens: 1, Active: 4, Zipf: 1, Seed: 1},
		{ActivationDim: 2, Directions: 100, Tokens: 1, Active: 4, Zipf: 0, Seed: 2},
		{ActivationDim: 2, Directions: 50, Tokens: 1, Active: 12, Zipf: 1.5, Seed: 3}, // the first ones always
		{ActivationDim: 2, Directions: 20, Tokens: 1, Active: 20, Zipf: 1, Seed: 4},   // all
		{ActivationDim: 2, Directions: 3, Tokens: 1, Active: 0.3, Zipf: 1, Seed: 5},
	} {
		s, err := newSynthetic(spec)
		if err != nil {
			t.Fatal(err)
		}
		const rows = 200_000
		counts := make([]float64, spec.Directions)
		both, coefs, squares, total, least := 0.0, 0.0, 0.0, 0.0, math.Inf(1)
		for r := range uint64(rows) {
			last := -1
			first, second := false, false
			s.active(trainer.Rand(uint64(spec.Seed), streamRows, r), func(i int, c float32) {
				if i <= last || i >= spec.Directions {
					t.Fatalf("direction %d after %d", i, last)
				}
				last = i
				first, second = first || i == spec.Directions-2, second || i == spec.Directions-1
				counts[i]++
				total++
				coefs += float64(c)
				squares += float64(c) * float64(c)
				least = min(least, float64(c))
			})
			if first && second {
				both++
			}
		}
		near := func(name string, got, mean, sd float64) {
			t.Helper()
			if !(math.Abs(got-mean) <= 5*sd+1e-9) {
				t.Errorf("%+v: %s is %v, want %v ± %v", spec, name, got, mean, sd)
			}
		}
		for i, p := range s.p {
			near(fmt.Sprintf("count of direction %d", i), counts[i], rows*p, math.Sqrt(rows*p*(1-p)))
		}
		pq := s.p[spec.Directions-2] * s.p[spec.Directions-1]
		near("count of a pair", both, rows*pq, math.Sqrt(rows*pq*(1-pq)))
		near("mean coefficient", coefs/total, 1, 0.5/math.Sqrt(total))
		near("mean squared coefficient", squares/total, 1.25, 1.5/math.Sqrt(total))
		if least < 0.5 {
			t.Errorf("a coefficient of %v", least)
		}
	}
}

func TestNormal(t *testing.T) {
	s := &synthetic{z: quantiles()}
	x := make([]float32, 1_000_001)
	s.normal(x, 42, 2)
	var sum, square, fourth, lag float64
	within := map[float64]float64{1: 0, 2: 0, 3: 0}
	for i, v := range x {
		z := float64(v) / 2
		sum += z
		square += z * z
		fourth += z * z * z * z
		if i > 0 {
			lag += z * float64(x[i-1]) / 2
		}
		for sd := range within {
			if math.Abs(z) < sd {
				within[sd]++
			}
		}
	}
	n := float64(len(x))
	for _, tt := range []struct {
		name           string
		got, want, tol float64
	}{
		{"mean", sum / n, 0, 5e-3},
		{"variance", square / n, 1, 7.5e-3},
		{"fourth moment", fourth / n, 3, 0.05},
		{"lag 1", lag / n, 0, 5e-3},
		{"within 1", within[1] / n, 0.682689, 3e-3},
		{"within 2", within[2] / n, 0.954500, 2e-3},
		{"within 3", within[3] / n, 0.997300, 5e-4},
	} {
		if !(math.Abs(tt.got-tt.want) <= tt.tol) {
			t.Errorf("%s is %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

func TestSyntheticRows(t *testing.T) {
	spec := trainer.Synthetic{ActivationDim: 16, Directions: 40, Tokens: 5000, Active: 3, Zipf: 1, Noise: 0.05, Seed: 9}
	s := open(t, trainer.DataSpec{Synthetic: &spec}, Options{})
	dirs := s.Directions()
	if len(dirs) != 40*16 {
		t.Fatalf("%d numbers of directions", len(dirs))
	}
	for i := range 40 {
		n := 0.0
		for _, v := range dirs[i*16 : (i+1)*16] {
			n += float64(v) * float64(v)
		}
		if !(math.Abs(n-1) < 1e-6) {
			t.Errorf("direction %d has squared norm %v", i, n)
		}
	}

	// A row less its active directions is noise of the right standard deviation.
	syn, err := newSynthetic(spec)
	if err != nil {
		t.Fatal(err)
	}
	x, square := make([]float32, 16), 0.0
	for r := range int64(5000) {
		if err := syn.read(r, x, 1, nil); err != nil {
			t.Fatal(err)
		}
		syn.active(trainer.Rand(9, streamRows, uint64(r)), func(i int, c float32) {
			for j := range x {
				x[j] -= c * dirs[i*16+j]
			}
		})
		for _, v := range x {
			square += float64(v) * float64(v)
		}
	}
	if sd := math.Sqrt(square / 5000 / 16); !(math.Abs(sd/0.05-1) < 0.02) {
		t.Errorf("noise has standard deviation %v", sd)
	}

	var b strings.Builder
	fmt.Fprintf(&b, "fingerprint %s\n", s.Info().Fingerprint)
	y := make([]float32, 3*16)
	if err := s.Batch(1, 2, y); err != nil {
		t.Fatal(err)
	}
	for _, v := range slices.Concat(dirs[:16], y) {
		fmt.Fprintf(&b, "%.4f\n", v) // the last bits depend on the processor
	}
	golden(t, "synthetic.txt", b.String())
}

func TestSyntheticWithoutNoise(t *testing.T) {
	// One direction in one dimension: every row is plus or minus its coefficient.
	spec := trainer.DataSpec{Synthetic: &trainer.Synthetic{ActivationDim: 1, Directions: 1, Tokens: 100, Active: 1}}
	s := open(t, spec, Options{})
	x := make([]float32, 80)
	if err := s.Batch(0, 0, x); err != nil {
		t.Fatal(err)
	}
	for _, v := range x {
		if v*s.Directions()[0] < 0.5 {
			t.Errorf("row %v of direction %v", v, s.Directions())
		}
	}
}

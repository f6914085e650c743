package data

import (
	"math"
	"testing"
)

func TestPermIsBijection(t *testing.T) {
	sizes := []int64{255, 256, 257, 1000, 1023, 1024, 1025, 4095, 4097, 65535, 65537, 100_003}
	for n := int64(1); n <= 130; n++ {
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		for seed := range uint64(3) {
			p := newPerm(n, seed, streamEpoch, seed)
			seen := make([]bool, n)
			for i := range n {
				v := p.at(i)
				if v < 0 || v >= n || seen[v] {
					t.Fatalf("n %d seed %d: at(%d) = %d is outside or there twice", n, seed, i, v)
				}
				seen[v] = true
			}
		}
	}
}

func TestPermOfHugeRange(t *testing.T) {
	p := newPerm(1<<48-59, 1, streamEpoch, 0)
	seen := map[int64]bool{}
	for i := range int64(100_000) {
		v := p.at(i)
		if v < 0 || v >= 1<<48-59 || seen[v] {
			t.Fatalf("at(%d) = %d", i, v)
		}
		seen[v] = true
	}
}

// The elements, and the differences of neighbouring elements, are spread as evenly as if
// they were drawn at random.
func TestPermIsEven(t *testing.T) {
	const n, cells = 50_000, 100
	for seed := range uint64(4) {
		for epoch := range uint64(4) {
			p := newPerm(n, seed, streamEpoch, epoch)
			var value, gap [cells]float64
			for i := range int64(n / 10) {
				a, b := p.at(i), p.at((i+1)%n)
				value[a*cells/n]++
				gap[((b-a+n)%n)*cells/n]++
			}
			for name, counts := range map[string][cells]float64{"value": value, "gap": gap} {
				want, chi := float64(n)/10/cells, 0.0
				for _, c := range counts {
					chi += (c - want) * (c - want) / want
				}
				// 99 degrees of freedom: mean 99, standard deviation 14.
				if !(math.Abs(chi-99) <= 5*14) {
					t.Errorf("seed %d epoch %d: chi-square of %s is %.0f, want about 99", seed, epoch, name, chi)
				}
			}
		}
	}
}

func TestPermsDiffer(t *testing.T) {
	const n = 10_000
	same := func(a, b perm) (k int) {
		for i := range int64(n) {
			if a.at(i) == b.at(i) {
				k++
			}
		}
		return k
	}
	p := newPerm(n, 1, streamEpoch, 0)
	for name, q := range map[string]perm{
		"epoch": newPerm(n, 1, streamEpoch, 1), "seed": newPerm(n, 2, streamEpoch, 0), "stream": newPerm(n, 1, streamBase, 0),
	} {
		if k := same(p, q); k > 10 { // 1 is expected
			t.Errorf("another %s leaves %d of %d elements where they were", name, k, n)
		}
	}
}

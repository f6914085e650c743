package cpu

import (
	"reflect"
	"slices"
	"testing"
)

// The example in the comment of byLatent.group.
func TestGroupByLatent(t *testing.T) {
	var got byLatent
	got.group([]float32{0.5, 0.2, 0.7, 0}, []int32{2, 0, 2, 1}, 2, 3)
	want := byLatent{start: []int32{0, 1, 1, 3}, token: []int32{0, 0, 1}, act: []float32{0.2, 0.5, 0.7}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// The examples in the comments of key and largestFirst.
func TestLargestFirst(t *testing.T) {
	if !(keyOf(2, 7) > keyOf(1, 3) && keyOf(1, 3) > keyOf(1, 4)) {
		t.Error("keys are not in order of activation, then of latent")
	}
	keys := []key{5, 1, 4, 2, 3}
	if n := largestFirst(keys, 2, 2); n != 2 || !slices.Equal(keys, []key{5, 4, 1, 3, 2}) {
		t.Errorf("%d of %v", n, keys)
	}
}

// exampleValues are the values behind the bounds in the example of candidates.go; a
// value is at least its bound less 0.2.
type exampleValues []float32

func (exampleValues) lowerBound(_ int, bounds []key, exactTo int) float32 {
	least := float32(1)
	for _, x := range bounds {
		if v := x.act(); x.latent() > exactTo {
			least = min(least, v-0.2)
		} else {
			least = min(least, v)
		}
	}
	return least
}

func (v exampleValues) evaluate(_ int, bounds []key) []key {
	for i, x := range bounds {
		bounds[i] = keyOf(v[x.latent()], x.latent())
	}
	return bounds
}

// The example of candidates.go, with its last tile added after the pruning.
func TestCandidatesExample(t *testing.T) {
	bounds := []float32{0.90, 0.30, 0.85, 0.60, 0.50, 0.95}
	values := exampleValues{0.75, 0.25, 0.84, 0.50, 0.45, 0.80}
	var c candidates
	c.reset(1, 2, len(bounds))
	latents := func() (out []int) {
		for _, x := range c.keys[:c.n[0]] {
			out = append(out, x.latent())
		}
		return out
	}
	add := func(first, last int) {
		var tile [nr]float32
		hits := uint32(0)
		for f := first; f <= last; f++ {
			if tile[f-first] = bounds[f]; !(bounds[f] <= c.cutoff[0]) {
				hits |= 1 << (f - first)
			}
		}
		c.add(0, hits, &tile, first, values)
	}
	add(0, 3)
	c.prune(0, values)
	if got := latents(); !slices.Equal(got, []int{0, 2}) || !(c.cutoff[0] > 0.649 && c.cutoff[0] < 0.651) {
		t.Errorf("pruning leaves latents %v and the cutoff %v", got, c.cutoff[0])
	}
	add(4, 5)
	if got := latents(); !slices.Equal(got, []int{0, 2, 5}) {
		t.Errorf("candidates %v", got)
	}
	if got, want := c.selected(0, values), []key{keyOf(0.84, 2), keyOf(0.80, 5)}; !slices.Equal(got, want) {
		t.Errorf("selected %s, want %s", format(got), format(want))
	}
}

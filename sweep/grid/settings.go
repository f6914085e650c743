package grid

import (
	"math"
	"slices"
)

// manySettings is what product returns for numbers that are far too large for a grid.
const manySettings = math.MaxInt64 / 2

// product returns the number of combinations of the axes, before exclude, or manySettings.
func (g *Grid) product() int64 {
	if len(g.Axes) == 0 && len(g.include) > 0 {
		return 0 // without axes the entries of include are the whole grid
	}
	n := int64(1)
	for _, gr := range g.groups {
		if n > math.MaxInt64/int64(gr.length)/2 {
			return manySettings
		}
		n *= int64(gr.length)
	}
	return n
}

// settings calls fn for each setting of the grid in order: first the combinations of the axes without the excluded
// ones, the last group fastest, then the entries of include. indices holds the index of each axis' value; it is nil for
// an entry of include. fn must not keep the slices, which settings uses again. settings stops when fn returns false.
//
//	parameters: {k: [16, 32], dict_size: [4096, 8192], seed: [0, 1]}
//	zip: [[k, dict_size]]
//	exclude: [{k: 32, seed: 0}]
//
// has the settings k 16, dict_size 4096, seed 0 (indices 0 0 0); 16, 4096, 1 (0 0 1); 32, 8192, 1 (1 1 1).
func (g *Grid) settings(fn func(setting []value, indices []int) bool) {
	x := newExcluder(g)
	setting, indices := slices.Clone(g.base), make([]int, len(g.Axes))
	for range g.product() {
		if !x.excludes(indices) {
			for a, axis := range g.Axes {
				setting[axis.field] = axis.values[indices[a]]
			}
			if !fn(setting, indices) {
				return
			}
		}
		g.advance(indices)
	}
	for _, in := range g.include {
		copy(setting, g.base)
		in.apply(setting)
		if !fn(setting, nil) {
			return
		}
	}
}

// advance moves indices to the next combination, as an odometer does.
func (g *Grid) advance(indices []int) {
	for _, gr := range slices.Backward(g.groups) {
		next := (indices[gr.axes[0]] + 1) % gr.length
		for _, a := range gr.axes {
			indices[a] = next
		}
		if next > 0 {
			return
		}
	}
}

// varyingFields returns the indices of the fields that differ between settings: the axes in file order, then the fields
// that only include varies, and dict_size and k where they are those of different models.
func (g *Grid) varyingFields() []int {
	var candidates []int
	texts := make([]map[string]bool, len(g.base)) // for each field: its values
	add := func(f int, text string) {
		if texts[f] == nil {
			texts[f] = map[string]bool{}
			candidates = append(candidates, f)
		}
		texts[f][text] = true
	}
	for _, a := range g.Axes {
		for _, v := range a.values {
			add(a.field, keyOf(g.schema.fields[a.field], v)+" "+v.text)
		}
	}
	included := map[int]int{} // for each field: the number of entries of include that give it
	for _, in := range g.include {
		for i, f := range in.fields {
			add(f, keyOf(g.schema.fields[f], in.values[i])+" "+in.values[i].text)
			included[f]++
		}
	}
	ofModels := g.fieldsOfModels()
	for _, f := range ofModels {
		texts[f] = map[string]bool{}
		if !slices.Contains(candidates, f) {
			candidates = append(candidates, f)
		}
	}
	if len(ofModels) > 0 {
		g.settings(func(setting []value, _ []int) bool {
			c := g.schema.config(setting, dataSize{dim: 2}) // neither depends on the width
			for _, f := range ofModels {
				texts[f][g.schema.textOf(setting, f, c, "")] = true
			}
			return true
		})
	}
	return slices.DeleteFunc(candidates, func(f int) bool {
		// Settings that do not give the field have its constant or default.
		if g.axisOf(f) < 0 && !slices.Contains(ofModels, f) && (g.product() > 0 || included[f] < len(g.include)) {
			texts[f][keyOf(g.schema.fields[f], g.base[f])+" "+g.base[f].text] = true
		}
		return len(texts[f]) < 2
	})
}

// Varying returns the keys that differ between cells, in the order of Cell.Values.
func (g *Grid) Varying() []string {
	var out []string
	for _, f := range g.varyingFields() {
		key := g.schema.fields[f].Key
		if key == stepsKey {
			key = g.lengthKey()
		}
		out = append(out, key)
	}
	return out
}

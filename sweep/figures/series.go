package figures

import (
	"image/color"
	"math"
	"slices"
)

// maxEntries is how many series a legend names. More series are read from a colour bar.
const maxEntries = 8

// A scheme gives each value of a setting, such as k, its colour and its marker.
type scheme struct {
	setting string // with its unit, for the legend
	values  []float64
}

// named says that the legend names each value.
func (s scheme) named() bool { return len(s.values) <= maxEntries }

// colour returns the colour of a value: dark for the least. Few values have colours at equal distances, many by their
// logarithm.
func (s scheme) colour(v float64) color.RGBA {
	if len(s.values) < 2 {
		return seriesColour(0.45)
	}
	if s.named() {
		i, _ := slices.BinarySearch(s.values, v)
		return seriesColour(float64(i) / float64(len(s.values)-1))
	}
	low, high := math.Log(s.values[0]), math.Log(s.values[len(s.values)-1])
	return seriesColour((math.Log(v) - low) / (high - low))
}

// shape returns the marker of a value.
func (s scheme) shape(v float64) shape {
	if !s.named() {
		return circle
	}
	i, _ := slices.BinarySearch(s.values, v)
	return shape(i % int(shapes))
}

// key returns the legend of the values.
func (s scheme) key() key {
	k := key{label: s.setting}
	if !s.named() {
		a := axis{log: true, min: s.values[0], max: s.values[len(s.values)-1]}
		k.bar = &colourBar{axis: a.at(s.values, size), colour: seriesColour}
		return k
	}
	for _, v := range s.values {
		k.entries = append(k.entries, entry{text: size(v), colour: s.colour(v), shape: s.shape(v), marked: true})
	}
	return k
}

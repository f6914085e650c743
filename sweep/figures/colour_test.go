package figures

import (
	"image/color"
	"math"
	"testing"
)

// A sight is what a kind of colour vision makes of linear red, green and blue (Machado et al. 2009, severity 1).
type sight [3][3]float64

func sights() map[string]sight {
	return map[string]sight{
		"normal":       {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
		"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.01182, 0.04294, 0.968881}},
		"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.3039}},
		"grey":         {{0.2126, 0.7152, 0.0722}, {0.2126, 0.7152, 0.0722}, {0.2126, 0.7152, 0.0722}},
	}
}

// lab returns CIE L*, a* and b* of a colour as a kind of vision sees it.
func (s sight) lab(c color.RGBA) [3]float64 {
	linear := func(v uint8) float64 { return luminance(color.RGBA{v, v, v, 255}) }
	in := [3]float64{linear(c.R), linear(c.G), linear(c.B)}
	var rgb [3]float64
	for i := range rgb {
		for j := range in {
			rgb[i] += s[i][j] * in[j]
		}
		rgb[i] = min(max(rgb[i], 0), 1)
	}
	f := func(r, g, b float64) float64 {
		v := r*rgb[0] + g*rgb[1] + b*rgb[2]
		if v > 216.0/24389 {
			return math.Cbrt(v)
		}
		return v*841/108 + 4.0/29
	}
	x := f(0.4338, 0.3762, 0.1899)
	y := f(0.2126, 0.7152, 0.0722)
	z := f(0.0178, 0.1094, 0.8730)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// Series are told from each other and from the paper, by whatever kind of colour vision.
func TestSeriesColours(t *testing.T) {
	for n := 2; n <= maxEntries; n++ {
		s := scheme{values: indexes(n)}
		for i := range n {
			if c := s.colour(float64(i)); !(1.05/(luminance(c)+0.05) >= 3) {
				t.Errorf("colour %d of %d has a contrast of %.2f against white", i, n, 1.05/(luminance(c)+0.05))
			}
			for j := range i {
				if s.shape(float64(i)) == s.shape(float64(j)) {
					t.Errorf("series %d and %d have one shape", i, j)
				}
				for name, by := range sights() {
					a, b := by.lab(s.colour(float64(i))), by.lab(s.colour(float64(j)))
					if d := math.Hypot(math.Hypot(a[0]-b[0], a[1]-b[1]), a[2]-b[2]); !(d >= 6) {
						t.Errorf("colours %d and %d of %d differ by %.1f with %s", i, j, n, d, name)
					}
				}
			}
		}
	}
}

// A heat map gets darker with every step, and numbers on it have the contrast of WCAG 2 AA.
func TestHeatColours(t *testing.T) {
	last := 2.0
	for i := range 101 {
		c := heatColour(float64(i) / 100)
		l, text := luminance(c), luminance(textOn(c))
		if !(l < last) {
			t.Errorf("at %d%% the map does not get darker", i)
		}
		last = l
		if ratio := (max(l, text) + 0.05) / (min(l, text) + 0.05); !(ratio >= 4.5) {
			t.Errorf("at %d%% text has a contrast of %.2f", i, ratio)
		}
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", math.Copysign(0, -1): "0", 0.05: "0.05", 300: "300", 1e-6: "1e-6", 2e12: "2e12", 1e-300: "1e-300", -3: "-3",
	} {
		if got := plain(v); got != want {
			t.Errorf("plain(%v) is %s, want %s", v, got, want)
		}
	}
	for v, want := range map[float64]string{512: "512", 2048: "2048", 10000: "10000", 16384: "16k", 131072: "128k",
		1 << 20: "1M", 2097152: "2M", 20000: "20000", 3 << 10: "3072"} {
		if got := size(v); got != want {
			t.Errorf("size(%v) is %s, want %s", v, got, want)
		}
	}
	for want, a := range map[string]number{"1/32": {0.03125, true}, "0.1": {0.1, true}, "0": {0, true}, "unknown": {}} {
		if got := alphaText(a); got != want {
			t.Errorf("auxk_alpha %v is written %s", a, got)
		}
	}
}

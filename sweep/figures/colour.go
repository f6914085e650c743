package figures

import (
	"image/color"
	"math"
)

// magma holds 17 colours of matplotlib's map of that name, at equal distances. Its lightness rises evenly, so that it
// is also read in grey and by whoever cannot tell red from green.
const magma = "000004" + "0a0822" + "1d1147" + "36106b" + "51127c" + "6a1c81" + "832681" + "9c2e7f" + "b73779" +
	"d0416f" + "e75263" + "f56b5c" + "fc8961" + "fea772" + "fec488" + "fde2a3" + "fcfdbf"

// onMap returns the colour at a place of the map: 0 is black and 1 a light yellow.
func onMap(at float64) color.RGBA {
	const last = len(magma)/6 - 1
	at = min(max(at, 0), 1) * float64(last)
	i := min(int(at), last-1)
	part := at - float64(i)
	channel := func(c int) uint8 {
		low, high := hex(magma[6*i+2*c:]), hex(magma[6*i+6+2*c:])
		return uint8(math.Round(low + part*(high-low)))
	}
	return color.RGBA{channel(0), channel(1), channel(2), 255}
}

// hex returns the value of the two hexadecimal digits that a text begins with.
func hex(s string) float64 {
	digit := func(b byte) int {
		if b >= 'a' {
			return int(b-'a') + 10
		}
		return int(b - '0')
	}
	return float64(16*digit(s[0]) + digit(s[1]))
}

// seriesColour returns the colour of a series: dark for 0, lighter for 1. All have a contrast of 3 to 1 against white.
func seriesColour(at float64) color.RGBA { return onMap(0.08 + 0.58*min(max(at, 0), 1)) }

// heatColour returns the colour of a heat map: light for 0, dark for 1.
func heatColour(at float64) color.RGBA { return onMap(1 - 0.95*min(max(at, 0), 1)) }

// textOn returns black or white, whichever reads better on a colour.
func textOn(c color.RGBA) color.RGBA {
	if l := luminance(c); (l+0.05)*(l+0.05) > 1.05*0.05 {
		return color.RGBA{A: 255}
	}
	return color.RGBA{255, 255, 255, 255}
}

// luminance is the relative luminance of a colour, as WCAG 2 defines it: 0 for black, 1 for white.
func luminance(c color.RGBA) float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

// pale mixes a colour with white. 0 leaves it, 1 is white.
func pale(c color.RGBA, white float64) color.RGBA {
	mix := func(v uint8) uint8 { return uint8(math.Round(float64(v) + white*(255-float64(v)))) }
	return color.RGBA{mix(c.R), mix(c.G), mix(c.B), 255}
}

// The colours of what is no series.
func ink() color.RGBA      { return color.RGBA{A: 255} }
func greyInk() color.RGBA  { return color.RGBA{0x50, 0x50, 0x50, 255} }
func gridInk() color.RGBA  { return color.RGBA{0xe4, 0xe4, 0xe4, 255} }
func whiteInk() color.RGBA { return color.RGBA{255, 255, 255, 255} }

package figures

import (
	"image/color"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A key is a part of the legend, which stands between the title and the panels: a label, and entries or a colour bar.
type key struct {
	label   string
	entries []entry
	bar     *colourBar
}

// An entry explains one marker, one line, or both.
type entry struct {
	text   string
	colour color.RGBA
	marked bool // has a marker
	shape  shape
	ring   bool      // a small open circle
	line   vg.Length // width of the line; 0 for none
	dashes []vg.Length
}

// A colourBar shows the colours of a range of values.
type colourBar struct {
	axis   axis
	colour func(at float64) color.RGBA // from 0 to 1
}

const (
	rowHeight  vg.Length = 9.5
	sampleSize vg.Length = 12 // of a line in the legend
	entryGap   vg.Length = 8
)

// size returns the width of what an entry draws before its text, and that of all.
func (e entry) size(style text.Style) (sample, all vg.Length) {
	sample = 7
	if e.line > 0 {
		sample = sampleSize + 2
	}
	return sample, sample + style.Width(drawable(e.text)) + entryGap
}

// width returns the width of a key with entries in one row.
func (k key) width(style text.Style) vg.Length {
	out := style.Width(drawable(k.label)) + 5
	for _, e := range k.entries {
		_, all := e.size(style)
		out += all
	}
	return out
}

// drawKeys draws keys from the top of a canvas, in rows of a width, and returns their height. Without a canvas it only
// measures.
func drawKeys(c *draw.Canvas, h text.Handler, keys []key, width vg.Length) vg.Length {
	style := textStyle(h, tickText, ink())
	var x, y vg.Length // from the upper left corner; y is the top of the row
	newRow := func() {
		if x > 0 {
			x, y = 0, y+rowHeight
		}
	}
	put := func(s string) {
		if c != nil {
			c.FillText(style, vg.Point{X: c.Min.X + x, Y: c.Max.Y - y - rowHeight + 2}, s)
		}
		x += style.Width(s)
	}
	for _, k := range keys {
		if k.bar != nil || x+k.width(style)-entryGap > width {
			newRow()
		}
		if k.label != "" {
			put(drawable(k.label))
			x += 5
		}
		if k.bar != nil {
			if x > width/2 {
				newRow()
			}
			y += k.bar.draw(c, style, x, y, width-x-2)
			x = 0
		}
		for _, e := range k.entries {
			sample, all := e.size(style)
			if x > 0 && x+all-entryGap > width {
				newRow()
			}
			if c != nil {
				e.draw(c, vg.Point{X: c.Min.X + x, Y: c.Max.Y - y - rowHeight/2 - 0.5}, sample)
			}
			x += sample
			put(drawable(e.text))
			x += all - sample - style.Width(drawable(e.text))
		}
	}
	newRow()
	return y
}

// draw draws the marker and the line of an entry. left is the middle of their left edge.
func (e entry) draw(c *draw.Canvas, left vg.Point, sample vg.Length) {
	middle := vg.Point{X: left.X + (sample-2)/2, Y: left.Y}
	if e.line > 0 {
		style := draw.LineStyle{Color: e.colour, Width: e.line, Dashes: e.dashes}
		c.StrokeLine2(style, left.X, left.Y, left.X+sample-2, left.Y)
	}
	switch {
	case e.ring:
		drawRing(c, middle, ringRadius, e.colour)
	case e.marked:
		e.shape.draw(c, middle, markRadius, e.colour)
	}
}

// draw draws the bar with its labels below, and returns the height of both.
func (b *colourBar) draw(c *draw.Canvas, style text.Style, x, y, width vg.Length) vg.Length {
	const thick = 6
	if c == nil {
		return thick + rowHeight + 1
	}
	top, left := c.Max.Y-y-1, c.Min.X+x
	const half = 10 // of a label at an end
	width -= 2 * half
	left += half
	const fields = 64
	for i := range fields { // each to the right end, so that no gap is seen between two
		from := left + width*vg.Length(i)/fields
		right, bottom := left+width, top-thick
		c.FillPolygon(b.colour((float64(i)+0.5)/fields), []vg.Point{
			{X: from, Y: top}, {X: right, Y: top}, {X: right, Y: bottom}, {X: from, Y: bottom},
		})
	}
	centred := style
	centred.XAlign, centred.YAlign = draw.XCenter, draw.YTop
	for _, t := range b.axis.ticksWithin(half, width, style.Width) {
		at := left + vg.Length(b.axis.norm(t.value))*width
		c.StrokeLine2(draw.LineStyle{Color: ink(), Width: 0.5}, at, top-thick, at, top-thick-1.5)
		c.FillText(centred, vg.Point{X: at, Y: top - thick - 1.5}, drawable(t.label))
	}
	return thick + rowHeight + 1
}

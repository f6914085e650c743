package figures

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A layer is drawn on a panel.
type layer interface{ draw(f *frame) }

// An xy is a place in the units of a panel's axes.
type xy struct{ x, y float64 }

// A line joins places in their order.
type line struct {
	at     []xy
	colour color.RGBA
	width  vg.Length
	dashes []vg.Length // nil for a solid line
}

// draw draws the line, without what lies outside the axes.
func (l line) draw(f *frame) {
	var pts []vg.Point
	for _, at := range l.at {
		pts = append(pts, f.point(at))
	}
	style := draw.LineStyle{Color: l.colour, Width: l.width, Dashes: l.dashes}
	if len(pts) > 1 {
		f.StrokeLines(style, f.ClipLinesXY(pts)...)
	}
}

// marks are markers of one shape.
type marks struct {
	at     []xy
	shape  shape
	colour color.RGBA
	radius vg.Length
	edge   bool // with a white edge, so that markers that overlap stay apart
	ring   bool // a small open circle, whatever the shape
}

// draw draws the markers that lie inside the axes.
func (m marks) draw(f *frame) {
	for _, at := range m.at {
		pt := f.point(at)
		switch {
		case !f.Contains(pt):
		case m.ring:
			drawRing(&f.Canvas, pt, m.radius, m.colour)
		default:
			if m.edge && len(m.at) <= maxTicks { // edges of many would hide the others
				m.shape.draw(&f.Canvas, pt, m.radius+0.6, whiteInk())
			}
			m.shape.draw(&f.Canvas, pt, m.radius, m.colour)
		}
	}
}

// drawRing draws an open circle.
func drawRing(c *draw.Canvas, at vg.Point, radius vg.Length, colour color.RGBA) {
	c.SetLineStyle(draw.LineStyle{Color: colour, Width: 0.6})
	c.Stroke(circle.path(at, radius))
}

// A bar is a vertical error bar from low to high.
type bar struct {
	x, low, high float64
	colour       color.RGBA
}

// draw draws the bar with a cap at each end. What lies outside the axis is cut off, with its cap.
func (b bar) draw(f *frame) {
	style := draw.LineStyle{Color: b.colour, Width: 0.7}
	at, low, high := f.x(b.x), f.Min.Y, f.Max.Y
	if b.low >= f.yAxis.min {
		low = f.y(b.low)
		f.StrokeLine2(style, at-2, low, at+2, low)
	}
	if b.high <= f.yAxis.max {
		high = f.y(b.high)
		f.StrokeLine2(style, at-2, high, at+2, high)
	}
	f.StrokeLine2(style, at, low, at, high)
}

// A cell is a field of a heat map: a square of side 1 around a place, with a text on it.
type cell struct {
	at     xy
	colour color.RGBA
	text   string
	widest string // text of the map: a map has texts on all cells or on none
}

// draw fills the cell, and writes the text if the widest one fits.
func (h cell) draw(f *frame) {
	left, right := f.x(h.at.x-0.5), f.x(h.at.x+0.5)
	low, high := f.y(h.at.y-0.5), f.y(h.at.y+0.5)
	gap := min(0.25, 0.04*(right-left), 0.04*(high-low)) // to a neighbour's
	left, right, low, high = left+gap, right-gap, low+gap, high-gap
	corners := []vg.Point{{X: left, Y: low}, {X: right, Y: low}, {X: right, Y: high}, {X: left, Y: high}}
	f.FillPolygon(h.colour, corners)
	style := textStyle(f.text, smallText, textOn(h.colour))
	style.XAlign, style.YAlign = draw.XCenter, draw.YCenter
	if h.text != "" && style.Width(h.widest) <= right-left-1 && smallText <= high-low-1 {
		f.FillText(style, vg.Point{X: (left + right) / 2, Y: (low + high) / 2}, h.text)
	}
}

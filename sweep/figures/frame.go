package figures

import (
	"math"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A frame is the area of a panel that data are drawn in.
type frame struct {
	draw.Canvas
	xAxis, yAxis axis
	text         text.Handler
}

func (f *frame) x(v float64) vg.Length { return f.Canvas.X(f.xAxis.norm(v)) }
func (f *frame) y(v float64) vg.Length { return f.Canvas.Y(f.yAxis.norm(v)) }

func (f *frame) point(at xy) vg.Point { return vg.Point{X: f.x(at.x), Y: f.y(at.y)} }

const (
	tickLength vg.Length = 2.5
	tickGap    vg.Length = 1.5 // between a tick and its label
)

// draw draws a panel: its grid, its layers and its axes. Labels of ticks are drawn to the left and below as wanted.
func (p panel) draw(f *frame, left, below bool) {
	high := func(string) vg.Length { return tickText }
	style := textStyle(f.text, tickText, ink())
	width := func(s string) vg.Length { return style.Width(drawable(s)) }
	xs, ys := p.x.ticks(f.Size().X, width), p.y.ticks(f.Size().Y, high)
	pale := draw.LineStyle{Color: gridInk(), Width: 0.4}
	for _, t := range xs {
		f.StrokeLine2(pale, f.x(t.value), f.Min.Y, f.x(t.value), f.Max.Y)
	}
	for _, t := range ys {
		f.StrokeLine2(pale, f.Min.X, f.y(t.value), f.Max.X, f.y(t.value))
	}
	for _, l := range p.layers {
		l.draw(f)
	}
	thin := draw.LineStyle{Color: ink(), Width: 0.5}
	f.StrokeLine2(thin, f.Min.X, f.Min.Y, f.Max.X, f.Min.Y)
	f.StrokeLine2(thin, f.Min.X, f.Min.Y, f.Min.X, f.Max.Y)
	under, beside := style, style
	under.XAlign, under.YAlign = draw.XCenter, draw.YTop
	beside.XAlign, beside.YAlign = draw.XRight, draw.YCenter
	for _, t := range xs {
		at := f.x(t.value)
		f.StrokeLine2(thin, at, f.Min.Y, at, f.Min.Y-tickLength)
		if below && t.label != "" {
			f.FillText(under, vg.Point{X: at, Y: f.Min.Y - tickLength - tickGap}, drawable(t.label))
		}
	}
	for _, t := range ys {
		at := f.y(t.value)
		f.StrokeLine2(thin, f.Min.X, at, f.Min.X-tickLength, at)
		if left && t.label != "" {
			f.FillText(beside, vg.Point{X: f.Min.X - tickLength - tickGap, Y: at}, drawable(t.label))
		}
	}
	title := textStyle(f.text, axisText, ink())
	title.XAlign = draw.XCenter
	f.FillText(title, vg.Point{X: f.Center().X, Y: f.Max.Y + 2.5}, cut(drawable(p.title), title, f.Size().X+6))
}

// labelWidth is the room that the labels of a y axis of a length need.
func (a axis) labelWidth(h text.Handler, length vg.Length) vg.Length {
	style := textStyle(h, tickText, ink())
	var most vg.Length
	for _, t := range a.ticks(length, func(string) vg.Length { return tickText }) {
		most = max(most, style.Width(drawable(t.label)))
	}
	return most + tickLength + tickGap
}

// drawPanels draws the panels in rows. All have the same axes, so that labels stand on the left and below alone.
func (f Figure) drawPanels(c draw.Canvas, h text.Handler) {
	columns, rows := vg.Length(f.columns()), vg.Length(f.rows())
	first := f.panels[0]
	label := textStyle(h, axisText, ink())
	label.XAlign, label.YAlign = draw.XCenter, draw.YBottom
	under := tickLength + tickGap + tickText + 1
	area := c
	area.Min.Y += under + axisText + 3
	var title vg.Length // above each panel
	if len(f.panels) > 1 {
		title = axisText + 4
	}
	area.Min.X += axisText + 4 + first.y.labelWidth(h, area.Size().Y/rows-title)
	area.Max.X -= 5 // half a label of the x axis
	area.Max.Y -= 2 // half a label of the y axis
	gap := vg.Length(9)
	width := (area.Size().X - gap*(columns-1)) / columns
	height := (area.Size().Y - (gap+title)*(rows-1) - title) / rows
	for i, p := range f.panels {
		column, row := vg.Length(i%f.columns()), vg.Length(i/f.columns())
		at := frame{Canvas: c, xAxis: p.x, yAxis: p.y, text: h}
		at.Min.X = area.Min.X + column*(width+gap)
		at.Max.Y = area.Max.Y - title - row*(height+title+gap)
		at.Max.X, at.Min.Y = at.Min.X+width, at.Max.Y-height
		p.draw(&at, column == 0, i+f.columns() >= len(f.panels))
	}
	below := cut(drawable(first.x.label), label, c.Size().X)
	// In the middle of the axis, or as near to it as a long label can be.
	middle := min(area.Center().X, c.Max.X-label.Width(below)/2)
	c.FillText(label, vg.Point{X: middle, Y: c.Min.Y + 1}, below)
	label.Rotation, label.YAlign = math.Pi/2, draw.YTop
	c.FillText(label, vg.Point{X: c.Min.X, Y: area.Center().Y}, cut(drawable(first.y.label), label, area.Size().Y+8))
}

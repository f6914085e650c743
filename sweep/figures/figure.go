package figures

import (
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The sizes of what is drawn for data.
const (
	markRadius vg.Length = 2.1
	ringRadius vg.Length = 1.3
	thinLine   vg.Length = 0.6
	mediumLine vg.Length = 1.1
)

// A Figure is ready to be written in any format and width.
type Figure struct {
	Name  string   // of its file, without the ending
	Title string   // a few words
	Notes []string // what its parts stand for, a sentence or two each; they stand below it too

	keys   []key
	panels []panel
	// wide is how many panels stand side by side; 0 is 1.
	wide int
	// shape is the height of all panels with their labels by the width of the figure; 0 is a good one for curves.
	shape float64
}

// A panel is one pair of axes. Its layers are drawn in their order.
type panel struct {
	title  string
	x, y   axis
	layers []layer
}

const (
	border   vg.Length = 3
	lineStep vg.Length = 7.4 // between two lines of the notes
)

// layout is where the parts of a figure lie, measured from above.
type layout struct {
	width, height vg.Length
	keysAt        vg.Length
	panelsAt      vg.Length
	notesAt       vg.Length
	notes         []string // the lines
}

func (f Figure) layout(h text.Handler, width vg.Length) layout {
	l := layout{width: width}
	inner := width - 2*border
	title := textStyle(h, titleText, ink())
	l.keysAt = border + vg.Length(len(wrap(drawable(f.Title), title, inner)))*(titleText+2)
	l.panelsAt = l.keysAt + 1
	l.panelsAt += drawKeys(nil, h, f.keys, inner)
	l.panelsAt += 3
	// The label of the y axis needs some height, however narrow the figure is.
	l.notesAt = l.panelsAt + max(inner*vg.Length(f.heightByWidth()), 55+55*vg.Length(f.rows()))
	l.notes = wrap(drawable(f.caption()), textStyle(h, smallText, greyInk()), inner)
	l.height = l.notesAt + border
	if len(l.notes) > 0 {
		l.height += 2 + lineStep*vg.Length(len(l.notes))
	}
	return l
}

// heightByWidth is the height of the panels and their labels by the width of the figure.
func (f Figure) heightByWidth() float64 {
	switch {
	case f.shape > 0:
		return f.shape
	case f.columns() == 1:
		return 0.68 * float64(f.rows())
	}
	return 0.42*float64(f.rows()) + 0.08
}

func (f Figure) columns() int { return min(max(f.wide, 1), len(f.panels)) }
func (f Figure) rows() int    { return (len(f.panels) + f.columns() - 1) / f.columns() }

// draw draws the figure on a canvas of the size of its layout.
func (f Figure) draw(c draw.Canvas, h text.Handler, l layout) {
	c.FillPolygon(whiteInk(), []vg.Point{
		c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y},
	})
	inner := draw.Crop(c, border, -border, 0, 0)
	title := textStyle(h, titleText, ink())
	for i, words := range wrap(drawable(f.Title), title, inner.Size().X) {
		y := c.Max.Y - border - vg.Length(i+1)*(titleText+2) + 2.5
		inner.FillText(title, vg.Point{X: inner.Min.X, Y: y}, words)
	}
	keys := draw.Crop(inner, 0, 0, 0, -l.keysAt-1)
	drawKeys(&keys, h, f.keys, inner.Size().X)
	f.drawPanels(draw.Crop(inner, 0, 0, l.height-l.notesAt, -l.panelsAt), h)
	small := textStyle(h, smallText, greyInk())
	for i, words := range l.notes {
		y := c.Max.Y - l.notesAt - 2 - vg.Length(i+1)*lineStep + 1.5
		inner.FillText(small, vg.Point{X: inner.Min.X, Y: y}, words)
	}
}

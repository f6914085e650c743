package figures

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A Format is a kind of file, named by the ending of its files.
type Format string

// The formats.
const (
	SVG Format = "svg"
	PNG Format = "png"
	PDF Format = "pdf"
)

// Formats lists the formats.
func Formats() []Format { return []Format{SVG, PNG, PDF} }

// The widths that figures may have, in centimetres. Text has the same size in all of them.
const (
	MinWidth = 5.0
	MaxWidth = 60.0
)

// Write returns a figure as a file of a format. width is in centimetres; the height follows from it. Equal figures give
// equal bytes.
func (f Figure) Write(format Format, width float64) (file []byte, err error) {
	if !(width >= MinWidth && width <= MaxWidth) {
		return nil, fmt.Errorf("draw %s: a width of %v cm; want %v to %v", f.Name, width, MinWidth, MaxWidth)
	}
	if !slices.Contains(Formats(), format) {
		return nil, fmt.Errorf("draw %s: format %q; want svg, png or pdf", f.Name, format)
	}
	defer func() { // the packages that draw panic where they cannot write a font to a temporary folder, for one
		if p := recover(); p != nil {
			file, err = nil, fmt.Errorf("draw %s as %s: %v", f.Name, format, p)
		}
	}()
	h := newTextHandler()
	l := f.layout(h, vg.Length(width)*vg.Centimeter)
	var b bytes.Buffer
	switch format {
	case SVG:
		err = f.writeSVG(&b, h, l)
	case PNG:
		err = f.writePNG(&b, h, l)
	case PDF:
		err = f.writePDF(&b, h, l)
	}
	if err != nil {
		return nil, fmt.Errorf("draw %s as %s: %w", f.Name, format, err)
	}
	return b.Bytes(), nil
}

// caption is all that is said below the figure.
func (f Figure) caption() string { return strings.Join(f.Notes, " ") }

// canvas is what a figure is drawn on.
func canvas(c vg.CanvasSizer) draw.Canvas { return draw.New(c) }

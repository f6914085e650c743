package figures

import (
	"bytes"
	"fmt"
	"regexp"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgpdf"
)

// writePDF writes the figure as a page of its size, with the font in the file.
func (f Figure) writePDF(b *bytes.Buffer, h text.Handler, l layout) error {
	c := pdfCanvas{vgpdf.New(l.width, l.height)}
	f.draw(canvas(c), h, l)
	var raw bytes.Buffer
	if _, err := c.WriteTo(&raw); err != nil {
		return err
	}
	// The time of writing would make equal figures differ. Blanks take its place, so that no offset changes.
	date := regexp.MustCompile(`/(CreationDate|ModDate) \(D:[0-9]+\)`)
	found := date.FindAllIndex(raw.Bytes(), -1)
	if len(found) != 2 {
		return fmt.Errorf("%d dates in the file; want 2", len(found))
	}
	for _, at := range found {
		copy(raw.Bytes()[at[0]:at[1]], bytes.Repeat([]byte(" "), at[1]-at[0]))
	}
	b.Write(raw.Bytes())
	return nil
}

// pdfCanvas writes text in the code page of the font.
type pdfCanvas struct{ *vgpdf.Canvas }

// FillString writes a text of characters of Latin-1: a byte each in the code page, which is Windows-1252.
func (c pdfCanvas) FillString(f font.Face, pt vg.Point, s string) {
	page := make([]byte, 0, len(s))
	for _, r := range s {
		page = append(page, byte(r))
	}
	c.Canvas.FillString(f, pt, string(page))
}

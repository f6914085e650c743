package figures

import (
	"bytes"
	"fmt"
	"html"
	"strings"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg/vgsvg"
)

// writeSVG writes the figure with its text as text. Its title and notes are also there for screen readers.
func (f Figure) writeSVG(b *bytes.Buffer, h text.Handler, l layout) error {
	c := vgsvg.NewWith(vgsvg.UseWH(l.width, l.height))
	f.draw(canvas(c), h, l)
	var raw bytes.Buffer
	if _, err := c.WriteTo(&raw); err != nil {
		return err
	}
	s := raw.String()
	start := strings.Index(s, "<svg ")
	end := strings.Index(s, ">\n<g ")
	if start < 0 || end < start {
		return fmt.Errorf("the file does not begin with an svg element")
	}
	id := html.EscapeString(f.Name)
	b.WriteString(s[:start])
	fmt.Fprintf(b, "<svg role=\"img\" aria-labelledby=\"%s-title %s-desc\" ", id, id)
	b.WriteString(s[start+len("<svg ") : end])
	fmt.Fprintf(b, ">\n<title id=\"%s-title\">%s</title>\n<desc id=\"%s-desc\">%s</desc>\n", id,
		html.EscapeString(drawable(f.Title)), id, html.EscapeString(drawable(f.caption())))
	// Where the font is not installed, one with the same widths is taken.
	rest := strings.ReplaceAll(s[end+len(">\n"):], "font-family:Liberation Sans;font-variant:normal;font-weight:normal;"+
		"font-style:normal", "font-family:'Liberation Sans',Arial,Helvetica,sans-serif")
	b.WriteString(rest)
	return nil
}

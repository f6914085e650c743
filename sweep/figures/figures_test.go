package figures

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"image/png"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/table"
)

// planted returns results and curves of a grid whose errors follow the law of Gao et al. 2024 with their coefficients,
// with a little that differs between seeds and settings.
func planted(ks, ns []int64) (results, curves table.Table) {
	results.Columns = []table.Column{
		{Name: "cell"}, {Name: "k", Kind: table.Int}, {Name: "dict_size", Kind: table.Int},
		{Name: "auxk_alpha", Kind: table.Float}, {Name: "seed", Kind: table.Int}, {Name: "nmse", Kind: table.Float},
		{Name: "l0", Kind: table.Float}, {Name: "dead_latents", Kind: table.Int}, {Name: "dead_fraction", Kind: table.Float},
	}
	curves.Columns = []table.Column{
		{Name: "cell"}, {Name: "k", Kind: table.Int}, {Name: "dict_size", Kind: table.Int},
		{Name: "seed", Kind: table.Int}, {Name: "step", Kind: table.Int}, {Name: "tokens", Kind: table.Int},
		{Name: "flops", Kind: table.Float}, {Name: "train_nmse", Kind: table.Float}, {Name: "nmse", Kind: table.Float},
	}
	for _, k := range ks {
		for _, n := range ns {
			for i, alpha := range []float64{0, 0.03125} {
				for seed := range int64(2) {
					lk, ln := math.Log(float64(k)), math.Log(float64(n))
					nmse := math.Exp(-0.5+0.26*lk-0.017*ln-0.042*lk*ln) + math.Exp(-1.32-0.085*lk)
					nmse *= 1 + 0.01*float64(seed) - 0.02*float64(i)
					name := fmt.Sprintf("%d-%d-%d-%d", k, n, i, seed)
					dead := n / 8 / int64(1+3*i) / k
					results.Rows = append(results.Rows, []any{
						name, k, n, alpha, seed, nmse, float64(k) - 0.01*float64(i), dead, float64(dead) / float64(n),
					})
					for step := int64(0); step <= 512; step = max(1, 2*step) {
						tokens := step * 256
						held := nmse * (1 + float64(n)/float64(ns[0])*0.3/math.Pow(float64(step)+1, 0.8))
						curves.Rows = append(curves.Rows, []any{
							name, k, n, seed, step, tokens, 12 * 64 * float64(n*tokens), held * 0.98, held,
						})
					}
				}
			}
		}
	}
	return results, curves
}

func mustMake(t *testing.T, results, curves table.Table) Set {
	t.Helper()
	s, err := Make(context.Background(), &results, &curves)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func allNames() []string {
	return []string{
		"nmse-by-dict-size", "nmse-by-k", "nmse-by-flops", "dead-latents", "auxk-dead", "curves", "nmse-by-l0",
	}
}

func TestGoldens(t *testing.T) {
	s := mustMake(t, table.Table{}, table.Table{})
	if len(s.Figures) != 0 || len(s.LeftOut) != len(allNames()) {
		t.Errorf("of no data: %d figures, %d left out", len(s.Figures), len(s.LeftOut))
	}
	s = mustMake(t, plantedResults(t), plantedCurves(t))
	var names []string
	for _, f := range s.Figures {
		names = append(names, f.Name)
		svg, err := f.Write(SVG, 8)
		if err != nil {
			t.Fatal(err)
		}
		goldentest.Check(t, "testdata/"+f.Name+".svg", svg)
	}
	if strings.Join(names, " ") != strings.Join(allNames(), " ") {
		t.Errorf("figures %v, left out %v", names, s.LeftOut)
	}
}

func plantedResults(*testing.T) table.Table {
	r, _ := planted([]int64{4, 8, 16}, []int64{256, 512, 1024, 2048})
	return r
}

func plantedCurves(*testing.T) table.Table {
	_, c := planted([]int64{4, 8, 16}, []int64{256, 512, 1024, 2048})
	return c
}

// Every format is whole, and has equal bytes each time, whatever was drawn before.
func TestFormats(t *testing.T) {
	first, second := mustMake(t, plantedResults(t), plantedCurves(t)), mustMake(t, plantedResults(t), plantedCurves(t))
	for i, f := range first.Figures {
		for _, format := range Formats() {
			b, err := f.Write(format, 8)
			if err != nil {
				t.Fatal(err)
			}
			again, err := second.Figures[i].Write(format, 8)
			if err != nil || !bytes.Equal(b, again) {
				t.Errorf("%s: written again, the bytes differ (%v)", f.Name+"."+string(format), err)
			}
			switch format {
			case SVG:
				checkSVG(t, f, b, 8)
			case PNG:
				img, err := png.Decode(bytes.NewReader(b))
				if err != nil || img.Bounds().Dx() != 945 {
					t.Errorf("%s: %v wide: %v", f.Name, img.Bounds(), err)
				}
				if !bytes.Contains(b, resolution(300)) {
					t.Errorf("%s: no resolution", f.Name)
				}
			case PDF:
				if !bytes.HasPrefix(b, []byte("%PDF-")) || !bytes.Contains(b, []byte("/FontFile2")) {
					t.Errorf("%s: no PDF with a font", f.Name)
				}
				if bytes.Contains(b, []byte("(D:")) {
					t.Errorf("%s: a date in the PDF", f.Name)
				}
			}
		}
	}
	for _, width := range []float64{0, -1, 4.9, 61, math.NaN(), math.Inf(1)} {
		if _, err := first.Figures[0].Write(SVG, width); err == nil {
			t.Errorf("a width of %v is taken", width)
		}
	}
	if _, err := first.Figures[0].Write("gif", 8); err == nil {
		t.Error("gif is taken")
	}
}

// A written is a horizontal text of an SVG, with its box; y is measured from above.
type written struct {
	text                     string
	left, right, top, bottom float64
}

// checkSVG checks that a file is XML with a title, that no text leaves the figure or lies on another, and that there is
// no number that is none.
func checkSVG(t *testing.T, f Figure, b []byte, width float64) {
	t.Helper()
	for _, bad := range []string{"NaN", "Inf"} {
		if bytes.Contains(b, []byte(bad)) {
			t.Errorf("%s: %s in the file", f.Name, bad)
		}
	}
	texts, titles := textsOf(t, b)
	if len(titles) != 2 || titles[0] == "" || len(texts) == 0 {
		t.Errorf("%s: title and description %q, %d texts", f.Name, titles, len(texts))
	}
	l := f.layout(newTextHandler(), vg.Length(width)*vg.Centimeter)
	for i := range texts { // in the file y is measured from the lower edge
		texts[i].top += l.height.Points()
		texts[i].bottom += l.height.Points()
	}
	for i, a := range texts {
		if !(a.right > a.left && a.bottom > a.top) {
			t.Fatalf("%s: no size of %q", f.Name, a.text)
		}
		if a.left < 0 || a.right > l.width.Points() || a.top < 0 || a.bottom > l.height.Points() {
			t.Errorf("%s at %v cm: %q leaves the figure: %+v", f.Name, width, a.text, a)
		}
		for _, o := range texts[:i] {
			if a.left < o.right && o.left < a.right && a.top < o.bottom && o.top < a.bottom {
				t.Errorf("%s at %v cm: %q lies on %q", f.Name, width, a.text, o.text)
			}
		}
	}
}

// textsOf returns the horizontal texts of an SVG, and what stands in title and desc.
func textsOf(t *testing.T, b []byte) (texts []written, titles []string) {
	t.Helper()
	h := newTextHandler()
	d := xml.NewDecoder(bytes.NewReader(b))
	var open []bool // of each open element, whether it turns what is in it
	turned := 0
	for {
		token, err := d.Token()
		if token == nil {
			if err.Error() != "EOF" {
				t.Fatal(err)
			}
			return texts, titles
		}
		switch e := token.(type) {
		case xml.StartElement:
			attr := map[string]string{}
			for _, a := range e.Attr {
				attr[a.Name.Local] = a.Value
			}
			turns := strings.Contains(attr["transform"], "rotate")
			open = append(open, turns)
			if turns {
				turned++
			}
			if name := e.Name.Local; name == "text" || name == "title" || name == "desc" {
				data, _ := d.Token()
				chars, _ := data.(xml.CharData)
				if name != "text" {
					titles = append(titles, string(chars))
				} else if turned == 0 {
					var x, y, size float64
					fmt.Sscan(attr["x"], &x)
					fmt.Sscan(attr["y"], &y)
					_, style, _ := strings.Cut(attr["style"], "font-size:")
					style, _, _ = strings.Cut(style, "px")
					fmt.Sscan(style, &size)
					w := textStyle(h, vg.Length(size), ink()).Width(string(chars)).Points()
					texts = append(texts, written{string(chars), x, x + w, y - 0.7*size, y + 0.15*size})
				}
				if _, isEnd := data.(xml.EndElement); isEnd {
					open = open[:len(open)-1]
				}
			}
		case xml.EndElement:
			if open[len(open)-1] {
				turned--
			}
			open = open[:len(open)-1]
		}
	}
}

// Every run has its marker, and each axis its label with a unit.
func TestAllDrawn(t *testing.T) {
	results := plantedResults(t)
	s := mustMake(t, results, plantedCurves(t))
	for _, f := range s.Figures {
		for _, p := range f.panels {
			if !strings.Contains(p.x.label, "(") || !strings.Contains(p.y.label, "(") {
				t.Errorf("%s: axes %q and %q have no unit", f.Name, p.x.label, p.y.label)
			}
		}
		want := map[string]int{"nmse-by-l0": 48, "nmse-by-dict-size": 12 + 48, "nmse-by-k": 12 + 48, "auxk-dead": 24}
		cells, drawn := 0, 0
		for _, p := range f.panels {
			for _, l := range p.layers {
				switch l := l.(type) {
				case marks:
					for _, at := range l.at {
						if x, y := p.x.norm(at.x), p.y.norm(at.y); x >= 0 && x <= 1 && y >= 0 && y <= 1 {
							drawn++
						}
					}
				case cell:
					cells++
				}
			}
		}
		if n, ok := want[f.Name]; ok && drawn != n || f.Name == "dead-latents" && cells != 24 {
			t.Errorf("%s: %d markers and %d cells drawn", f.Name, drawn, cells)
		}
	}
}

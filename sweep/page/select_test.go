package page

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Filters select, wrong ones say why, and an empty one selects all.
func TestBrowserFilter(t *testing.T) {
	b := newBrowser(t)
	p := b.openReport(t, Input{Sweeps: []Sweep{sampleSweep(t, smallGrid, withFailures)}}, 1280)
	for text, want := range map[string]string{
		"": "24 of 24", "k=8": "12 of 24", "k=8, dict_size=512": "6 of 24", "k = 8 dict_size >= 2_048": "6 of 24",
		"k!=8": "12 of 24", "status=failed": "1 of 24", "status!=completed": "3 of 24", "error~NaN": "1 of 24",
		"nmse<0": "0 of 24", "nmse=": "3 of 24", "nmse!=": "21 of 24", "failed": "1 of 24", "k=8 k=32": "0 of 24",
		"decay_start>=300 auxk_alpha>0": "8 of 24", "k=8,dict_size=512,": "6 of 24",
		// As in sweep results --where: a row without a value is in no comparison.
		"nmse!=0": "21 of 24", "error!=x": "1 of 24", "error=": "23 of 24", "nmse= k=8": "3 of 24", "nmse= , k=32": "0 of 24",
		"status^=comp": "21 of 24", "k^=3": "12 of 24", "recovery=1": "0 of 24", "recovery=": "24 of 24",
		// In quotation marks signs and spaces are text.
		`error~"loss"`: "1 of 24", `error~"is NaN | <img src=x"`: "1 of 24", `error ~ "17: ""loss"" is"`: "1 of 24",
		`error~'"loss" is'`: "1 of 24", `"k=8"`: "0 of 24", `"is NaN"`: "1 of 24", `status="a, b"`: "0 of 24",
	} {
		p.filter(text)
		if got := p.count(); got != want+" cells selected" {
			t.Errorf("%q: %s", text, got)
		}
		if eval[bool](p, `!document.getElementById("filter-error").hidden`) {
			t.Errorf("%q is refused", text)
		}
	}
	// Any text is a filter, or an error that is told.
	p.do(chromedp.Evaluate(`(async () => {
		const e = document.getElementById("filter");
		const signs = [..."k=8 <>!~\",'_.-e∞\\(["].concat("nmse", "error", "==", "cell");
		let seed = 1;
		for (let i = 0; i < 150; i++) {
			let text = "";
			for (let n = 0; n < i % 12; n++) { seed = (seed * 16807) % 2147483647; text += signs[seed % signs.length]; }
			e.value = text;
			e.dispatchEvent(new Event("input"));
			await new Promise((done) => requestAnimationFrame(done));
		}
	})()`, nil, awaited))
	for text, want := range map[string]string{
		"nosuch=1": "no column nosuch", "k=eight": "is a number", "nmse<": "a value is missing", `error="a`: "not closed",
		`"a`: "not closed", "lr<=": "a value is missing",
	} {
		p.filter(text)
		got := eval[string](p, `(() => { const e = document.getElementById("filter-error");
			return e.hidden ? "" : e.textContent; })()`)
		if !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	p.check()
}

// A box drawn in one plot selects the same cells in all plots, in the parallel coordinates and in the table.
func TestBrowserBrush(t *testing.T) {
	b := newBrowser(t)
	p := b.openReport(t, Input{Sweeps: []Sweep{sampleSweep(t, smallGrid, nil)}}, 1280)
	// The right half of nmse against n: the cells with the larger dictionary.
	p.drag("#nmse-n > svg", 0.5, 0.05, 0.97, 0.85)
	linked := func(want int) {
		t.Helper()
		if got := p.count(); got != fmt.Sprintf("%d of 24 cells selected", want) {
			t.Error(got)
		}
		for _, at := range []string{"#nmse-n", "#nmse-k", "#pareto", "#auxk-dead", "#curves"} {
			n := eval[[]int](p, `["on", "dim"].map((l) =>
				[...document.querySelectorAll("`+at+` .layer-" + l + " path")].reduce((n, e) =>
				n + (e.getAttribute("d") === "M0 0" ? 0 : e.getAttribute("d").split("M").length - 1), 0))`)
			if n[0] != want || n[1] != 24-want {
				t.Errorf("%s: %d selected, %d dim; want %d and %d", at, n[0], n[1], want, 24-want)
			}
		}
		lines := eval[int](p, `[...document.querySelectorAll("#parallel .joined")].reduce((n, e) =>
			n + e.getAttribute("d").split("M").length - 1, 0)`)
		rows := eval[int](p, `document.querySelectorAll("#table tbody tr:not([data-row='-1'])").length`)
		if lines != want || rows != want {
			t.Errorf("%d lines, %d rows; want %d", lines, rows, want)
		}
	}
	linked(12)
	if got := eval[string](p, `[...new Set([...document.querySelectorAll("#table tbody tr")].map((r) =>
		r.children[2].textContent))].join()`); got != "2048" {
		t.Errorf("dict_size in the table: %s", got)
	}
	// A second box, on an axis of the parallel coordinates: both hold. The axis k goes from 8 below to 32 above.
	axes := eval[[]string](p, `[...document.querySelectorAll("#parallel text.label")].map((e) => e.textContent)`)
	strip := slices.Index(axes, "k")
	p.drag(fmt.Sprintf("#parallel .strip[data-axis=%s]", axes[strip]), 0.5, 0.02, 0.5, 0.4)
	linked(6)
	p.do(chromedp.Click("#clear", chromedp.ByID))
	p.frames()
	linked(24)
	p.check()
}

// On a phone a finger selects, too: it moves sideways in a plot, and along an axis of the parallel coordinates.
func TestBrowserTouch(t *testing.T) {
	b := newBrowser(t)
	p := b.openReport(t, Input{Sweeps: []Sweep{sampleSweep(t, smallGrid, nil)}}, 360)
	p.do(emulation.SetTouchEmulationEnabled(true))
	for _, c := range []struct {
		selector       string
		x0, y0, x1, y1 float64
		scrolls        bool
		want           string
	}{
		{"#nmse-n > svg", 0.5, 0.4, 0.97, 0.42, false, "12 of 24 cells selected"},
		{"#nmse-n > svg", 0.5, 0.5, 0.52, 0.1, true, "12 of 24 cells selected"},
		{"#parallel .strip[data-axis=k]", 0.5, 0.02, 0.5, 0.4, false, "6 of 24 cells selected"},
	} {
		if n := p.swipe(c.selector, c.x0, c.y0, c.x1, c.y1); (n > 0) != c.scrolls || n < 0 {
			t.Errorf("a finger on %s, from (%v, %v) to (%v, %v), scrolls by %v pixels", c.selector, c.x0, c.y0, c.x1, c.y1, n)
		}
		if got := p.count(); got != c.want {
			t.Errorf("a finger on %s: %s, want %s", c.selector, got, c.want)
		}
	}
	p.check()
}

// With 1,000 cells a selection changes few elements, so that it is quick. The times are for the log: they depend on the
// machine.
func TestBrowserLarge(t *testing.T) {
	b := newBrowser(t)
	p := b.openReport(t, Input{Sweeps: []Sweep{sampleSweep(t, largeGrid, nil)}}, 1280)
	p.drag("#nmse-n > svg", 0.5, 0.05, 0.97, 0.85)
	if got := p.count(); got != "600 of 1,000 cells selected" {
		t.Error(got)
	}
	if n := eval[int](p, `document.querySelectorAll("#plots svg *, #parallel svg *").length`); n > 600 {
		t.Errorf("%d elements in the plots", n)
	}
	if n := eval[int](p, `document.querySelectorAll("#table tbody tr").length`); n != pageRows {
		t.Errorf("%d rows in the table", n)
	}
	first := `document.querySelector("#table tbody tr").dataset.row`
	row := eval[string](p, first)
	p.do(chromedp.Click("#next", chromedp.ByID))
	page := eval[string](p, `document.getElementById("page").textContent`)
	if next := eval[string](p, first); page != "page 2 of 12" || next == row {
		t.Errorf("%s begins with row %s, and the one before with %s", page, next, row)
	}
	var times []float64
	p.do(chromedp.Evaluate(`(async () => {
		const svg = document.querySelector("#nmse-k > svg"), area = svg.querySelector(".area");
		const r = svg.getBoundingClientRect();
		const at = (type, x, y, on) => (on || svg).dispatchEvent(new PointerEvent(type, {pointerId: 1, button: 0, buttons: 1,
			clientX: r.left + x, clientY: r.top + y, bubbles: true}));
		svg.setPointerCapture = () => {};
		at("pointerdown", 80, 20, area);
		const out = [];
		for (let x = 100; x < 500; x += 20) {
			const began = performance.now();
			at("pointermove", x, 200);
			await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
			out.push(performance.now() - began, performance.getEntriesByName("select")[0].duration);
		}
		at("pointerup", 500, 200);
		return out;
	})()`, &times, awaited))
	var whole, script []float64
	for i := 0; i < len(times); i += 2 {
		whole, script = append(whole, times[i]), append(script, times[i+1])
	}
	slices.Sort(whole)
	slices.Sort(script)
	n := len(whole)
	t.Logf("from the event to the frame: median %.0f ms, most %.0f ms; of it the script: median %.0f ms, most %.0f ms",
		whole[n/2], whole[n-1], script[n/2], script[n-1])
	p.check()
}

// pageRows is pageSize of table.js.
const pageRows = 50

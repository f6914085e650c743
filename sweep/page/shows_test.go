package page

import (
	"fmt"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Every input is shown without a complaint and without a request, on a wide screen and on a phone, light and dark; all
// that a person reads has contrast, controls have names, and a phone need not scroll sideways.
func TestBrowserShowsAll(t *testing.T) {
	b := newBrowser(t)
	for name, in := range samples(t) {
		for _, width := range []int64{1280, 360} {
			for _, scheme := range []string{"light", "dark"} {
				t.Run(fmt.Sprintf("%s/%d/%s", name, width, scheme), func(t *testing.T) {
					p := b.openReport(t, in, width, "prefers-color-scheme="+scheme)
					p.frames()
					if title := eval[string](p, `document.title`); title == "bad" || title == "" {
						t.Errorf("title %q: text of the data was run", title)
					}
					if w := eval[int64](p, `document.documentElement.scrollWidth`); w > width {
						t.Errorf("%d wide", w)
					}
					for _, low := range eval[[]string](p, lowContrast) {
						t.Errorf("contrast: %s", low)
					}
					for _, unnamed := range eval[[]string](p, unnamedControls) {
						t.Errorf("a control without a name: %s", unnamed)
					}
					regions := eval[[]string](p, `[...document.querySelectorAll("section, aside, [role=region]")].map((e) =>
						e.ariaLabel || document.getElementById(e.getAttribute("aria-labelledby"))?.textContent || "")`)
					if slices.Sort(regions); len(slices.Compact(slices.Clone(regions))) != len(regions) {
						t.Errorf("parts of the page of one name: %q", regions)
					}
					paper := eval[string](p, `getComputedStyle(document.body).backgroundColor`)
					if (paper == "rgb(15, 18, 22)") != (scheme == "dark") {
						t.Errorf("scheme %s: paper %s", scheme, paper)
					}
					// The keys of each picture do no harm where there is nothing, too.
					for i := range eval[int](p, `document.querySelectorAll("svg[tabindex]").length`) {
						p.do(chromedp.Evaluate(fmt.Sprintf(`document.querySelectorAll("svg[tabindex]")[%d].focus()`, i), nil))
						for _, key := range []string{kb.ArrowRight, kb.ArrowUp, kb.Enter, kb.Escape} {
							p.do(chromedp.KeyEvent(key))
						}
					}
					p.check()
				})
			}
		}
	}
}

// lowContrast lists texts whose colour is less than 4.5 times as bright as what is behind them, or the other way round.
// What is behind is the nearest background of an ancestor; in a picture that is the card.
const lowContrast = `(() => {
	const part = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
	const parse = (c) => (c.match(/[\d.]+/g) || []).map(Number);
	const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
	const out = [];
	let seen = 0;
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n = walker.nextNode(); n; n = walker.nextNode()) {
		const e = n.parentElement;
		const unseen = "script, style, [hidden], .hidden, .skip, noscript, details:not([open]) dl, option";
		if (!n.data.trim() || e.closest(unseen)) continue;
		const bars = e.matches("svg text.on") ? [...document.querySelectorAll("svg .once")] : []; // it stands on one of them
		const svg = e.namespaceURI.endsWith("svg");
		const ink = parse(svg ? getComputedStyle(e).fill : getComputedStyle(e).color);
		let back = bars.map((bar) => parse(getComputedStyle(bar).fill));
		for (let a = e; a && !back.length; a = a.parentElement) {
			const c = parse(getComputedStyle(a).backgroundColor);
			if (c.length === 3 || c[3] === 1) back = [c];
		}
		seen++;
		const ratio = Math.min(...back.map((c) => {
			const [x, y] = [light(ink), light(c)].sort((p, q) => q - p);
			return (x + 0.05) / (y + 0.05);
		}));
		if (!(ratio >= 4.5)) out.push(ratio.toFixed(2) + ": " + e.tagName + " " + n.data.slice(0, 40));
	}
	if (seen < 20) out.push("only " + seen + " texts were looked at");
	return out;
})()`

// unnamedControls lists what can be reached by the keyboard and has no name for those who do not see, or one that lacks
// what others see: who speaks to the browser says what is seen.
const unnamedControls = `[...document.querySelectorAll("button, select, input, [tabindex], [role=button]")].filter(
	(e) => {
	if (e.closest("[hidden]")) return false;
	const ids = (e.getAttribute("aria-labelledby") || "").split(" ");
	const by = ids.map((id) => document.getElementById(id)?.textContent || "").join("");
	const label = e.labels && [...e.labels].map((l) => l.textContent).join("");
	const seen = e.matches("button") && e.hasAttribute("aria-label") ? e.textContent.trim().toLowerCase() : "";
	if (seen && !e.ariaLabel.toLowerCase().includes(seen)) return true;
	return !(e.getAttribute("aria-label") || by || label || (e.tagName === "BUTTON" && e.textContent.trim()));
}).map((e) => e.outerHTML.slice(0, 80))`

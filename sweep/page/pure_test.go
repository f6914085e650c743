package page

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// pureParts are expressions and what they come to as text, a line for each.
const pureParts = `
show(null) => –
show(0) => 0
show(-0.5) => -0.5
show(2048) => 2,048
show(0.12345) => 0.1235
show(12345.6) => 12,350
show(1234567.8) => 1,235,000
show(12345678.9) => 1.235e7
show(123456789) => 123,456,789
show(0.00001234) => 1.234e-5
show(1e300) => 1e300
show("<b>") => <b>
exact(0.00123456) => 0.00123456
exact(0.00123457) => 0.00123457
exact(2048) => 2,048
exact(1e-7) => 1e-7
exact("f32") => f32
exact(null) => –
duration(0) => 0 s
duration(0.0123) => 0.0123 s
duration(99.94) => 99.9 s
duration(99.97) => 1 min 40 s
duration(119.7) => 2 min 0 s
duration(178.3) => 2 min 58 s
duration(5999.6) => 1 h 40 min
duration(7199) => 2 h 0 min
duration(1e7) => 2,777 h 47 min
duration(null) => –
duration(undefined) => –
bytes(0) => 0 B
bytes(512) => 512 B
bytes(1023) => 0.999 KiB
bytes(1048575) => 1 MiB
bytes(27892122) => 26.6 MiB
bytes(null) => –
large(2457600) => 2,457,600
large(20480000000) => 20.48e9
large(null) => –
ticksText([]).join() =>
ticksText([0.1, 0.2]).join(" ") => 0.1 0.2
ticksText([1.15, 1.2]).join(" ") => 1.15 1.2
ticksText([0, 0.5, 1]).join(" ") => 0 0.5 1
ticksText([-2e6, 0]).join(" ") => -2e6 0
ticksText([1000.25, 1000.5]).join(" ") => 1,000.25 1,000.5
newScale([0.146, 0.2462], true, 178, 0).ticks.length > 1 => true
newScale([0.19, 0.21], true, 150, 0).ticks.length > 1 => true
newScale([0.1961, 0.1962], false, 150, 0).ticks.length > 1 => true
newScale([5], true, 150, 0).ticks.length > 1 => true
newScale([0], false, 150, 0).ticks.length > 1 => true
newScale([-3], false, 150, 0).ticks.length > 1 => true
newScale([1e-300, 1e300], true, 150, 0).ticks.length > 0 => true
newScale([0, -1, NaN], true, 150, 0) => null
newScale([-1.7e308, 1.7e308], false, 150, 0) => null
newScale([1, 100], true, 0, 300).at(0) => NaN
newScale([1, 100], true, 0, 300).back(newScale([1, 100], true, 0, 300).at(7)).toFixed(9) => 7.000000000
`

// The parts of the script that only compute: how numbers are written, and where axes have ticks. Each axis has two
// ticks or more, however small the picture is and however close the values are.
func TestBrowserPureParts(t *testing.T) {
	b := newBrowser(t)
	p := b.open(t, "about:blank", 800)
	for _, name := range []string{"util.js", "scale.js"} {
		text, err := assets.ReadFile("assets/" + name)
		if err != nil {
			t.Fatal(err)
		}
		p.do(chromedp.Evaluate(string(text), nil))
	}
	for line := range strings.Lines(strings.TrimSpace(pureParts)) {
		script, want, ok := strings.Cut(strings.TrimSpace(line), " =>")
		if !ok {
			t.Fatalf("no => in %q", line)
		}
		if got := eval[string](p, "String("+script+")"); got != strings.TrimSpace(want) {
			t.Errorf("%s: %q, want %q", script, got, strings.TrimSpace(want))
		}
	}
}

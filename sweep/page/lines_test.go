package page

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/topksweep/sweep/sweep/ledger"
)

// A place is where the mark of a row is drawn. y grows downwards, and so as a value falls.
type place struct {
	row  int
	x, y float64
}

func (p place) String() string { return pixels(p.x) + " " + pixels(p.y) }

func pixels(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// places goes through the marks of a plot by the keyboard and returns where they are.
func places(t *testing.T, p *tab, plot string, n int) (out []place) {
	t.Helper()
	p.do(chromedp.Focus(plot+" > svg", chromedp.ByQuery))
	for i := range n {
		p.do(chromedp.KeyEvent(kb.ArrowRight))
		at := eval[[]float64](p, `(() => { const r = document.querySelector("`+plot+` .ring");
			return ["cx", "cy"].map((a) => Number(r.getAttribute(a))); })()`)
		out = append(out, place{i, at[0], at[1]})
	}
	return out
}

// lines returns the paths of a layer of a plot.
func lines(p *tab, layer string) []string {
	return eval[[]string](p, `[...document.querySelectorAll("`+layer+` path")].map((e) => e.getAttribute("d"))`)
}

// front is the path of the Pareto front of some marks.
func front(marks []place) (d string) {
	marks = slices.Clone(marks)
	slices.SortFunc(marks, func(a, b place) int { return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(b.y, a.y)) })
	lowest := -1.0
	for _, m := range marks {
		if m.y <= lowest {
			continue
		}
		lowest = m.y
		if d == "" {
			d = "M" + m.String()
		} else {
			d += "H" + pixels(m.x) + "V" + pixels(m.y)
		}
	}
	return d
}

// joined is the paths through the lowest marks of each group at each x, in the order of the groups. Groups of one mark
// have none.
func joined(marks []place, group func(row int) int) (out []string) {
	best := map[int]map[float64]place{}
	var groups []int
	for _, m := range marks {
		g := group(m.row)
		if best[g] == nil {
			best[g] = map[float64]place{}
			groups = append(groups, g)
		}
		if was, ok := best[g][m.x]; !ok || m.y > was.y {
			best[g][m.x] = m
		}
	}
	slices.Sort(groups)
	for _, g := range groups {
		var texts []string
		var list []place
		for _, m := range best[g] {
			list = append(list, m)
		}
		slices.SortFunc(list, func(a, b place) int { return cmp.Compare(a.x, b.x) })
		for _, m := range list {
			texts = append(texts, m.String())
		}
		if len(texts) > 1 {
			out = append(out, "M"+strings.Join(texts, "L"))
		}
	}
	return out
}

// The lines join the lowest nmse of the selected cells, and the front is that of the selected cells.
func TestBrowserLines(t *testing.T) {
	b := newBrowser(t)
	s := sampleSweep(t, smallGrid, func(i int, r *ledger.Result) {
		r.Metrics.L0 *= (1 + 0.3*float64(i%3)) / math.Pow(*r.Metrics.NMSE, 4) // so that the front has steps
	})
	p := b.openReport(t, Input{Sweeps: []Sweep{s}}, 1280)
	pareto, byN := places(t, p, "#pareto", 24), places(t, p, "#nmse-n", 24)
	k := func(row int) int { return s.Plan.Cells[row].Config.K }
	check := func(part int, selected func(row int) bool) {
		t.Helper()
		other := func(m place) bool { return !selected(m.row) }
		marks, lower := slices.DeleteFunc(slices.Clone(pareto), other), slices.DeleteFunc(slices.Clone(byN), other)
		if got, want := lines(p, "#pareto .layer-front"), front(marks); len(got) != 1 || got[0] != want {
			t.Errorf("of %d cells the front is %q, want %s", part, got, want)
		}
		if got, want := lines(p, "#nmse-n .layer-joined"), joined(lower, k); !slices.Equal(got, want) {
			t.Errorf("of %d cells the lines are %q, want %q", part, got, want)
		}
		if len(marks) != part || strings.Count(front(marks), "H") < 2 {
			t.Errorf("of %d of %d cells the front is %s", len(marks), part, front(marks))
		}
	}
	check(24, func(int) bool { return true })
	p.drag("#nmse-k > svg", 0.5, 0.05, 0.97, 0.85)
	check(12, func(row int) bool { return k(row) == 32 })
	p.drag("#nmse-k > svg", 0.5, 0.5, 0.5, 0.5) // a click beside the marks
	check(24, func(int) bool { return true })
	p.drag("#nmse-n > svg", 0.5, 0.05, 0.97, 0.85)
	check(12, func(row int) bool { return s.Plan.Cells[row].Config.DictSize == 2048 })
	p.check()
}

// Each data set has lines and a front of its own, and one of them can be shown alone.
func TestBrowserDataSets(t *testing.T) {
	b := newBrowser(t)
	const text = `
name: layers
data: {sets: {l3: {source: /data/l3}, l6: {source: /data/l6}}}
parameters: {k: [8, 32], dict_size: [512, 2048], seed: [0, 1]}
train: {steps: 600, batch_size: 256, lr: 0.002}
`
	s := sampleSweep(t, text, func(i int, r *ledger.Result) {
		if r.Set == "l6" {
			*r.Metrics.NMSE *= 2
		}
	})
	p := b.openReport(t, Input{Sweeps: []Sweep{s}}, 1280)
	pareto, byN := places(t, p, "#pareto", 16), places(t, p, "#nmse-n", 16)
	set := func(row int) string { return s.Results[row].Set }
	var fronts, joins []string
	for _, name := range []string{"l3", "l6"} {
		other := func(m place) bool { return set(m.row) != name }
		fronts = append(fronts, front(slices.DeleteFunc(slices.Clone(pareto), other)))
		joins = append(joins, joined(slices.DeleteFunc(slices.Clone(byN), other),
			func(row int) int { return s.Plan.Cells[row].Config.K })...)
	}
	if got := lines(p, "#pareto .layer-front"); !slices.Equal(got, fronts) {
		t.Errorf("the fronts are %q, want %q", got, fronts)
	}
	if got := lines(p, "#nmse-n .layer-joined"); !slices.Equal(got, joins) || len(got) != 4 {
		t.Errorf("the lines are %q, want %q", got, joins)
	}
	legend := eval[string](p, `document.querySelector("#pareto .legend").textContent`)
	if !strings.Contains(legend, "data = l3") || !strings.Contains(legend, "data = l6") {
		t.Errorf("legend %q", legend)
	}
	choose := func(name string) {
		p.do(chromedp.SetValue("#set", name, chromedp.ByID),
			chromedp.Evaluate(`document.getElementById("set").dispatchEvent(new Event("change"))`, nil))
		p.frames()
	}
	choose("l6")
	if got := p.count(); got != "8 of 16 cells selected" {
		t.Error(got)
	}
	if got := lines(p, "#pareto .layer-front"); len(got) != 1 {
		t.Errorf("of one data set the fronts are %q", got)
	}
	p.do(chromedp.Click("#clear", chromedp.ByID))
	p.frames()
	if got := p.count(); got != "16 of 16 cells selected" {
		t.Error(got)
	}
	p.check()
	one := b.openReport(t, Input{Sweeps: []Sweep{sampleSweep(t, smallGrid, nil)}}, 1280)
	if !eval[bool](one, `document.getElementById("sets").hidden`) {
		t.Error("a choice of data sets is shown where there is one")
	}
}

// What the page says in numbers is what the results say.
func TestBrowserNumbers(t *testing.T) {
	b := newBrowser(t)
	s := sampleSweep(t, smallGrid, nil)
	p := b.openReport(t, Input{Sweeps: []Sweep{s}}, 1280)
	f := newForest(s, 0)
	want := fmt.Sprintf("device time%.3g s%.3g s saved by sharing", *f.Spent, *f.Saved)
	if text := eval[string](p, `document.getElementById("summary").textContent`); !strings.Contains(text, want) {
		t.Errorf("summary %q, want %q", text, want)
	}
	best := 1.0
	for _, r := range s.Results {
		best = min(best, *r.Metrics.NMSE)
	}
	tile := eval[string](p, `document.getElementById("summary").textContent`)
	if want := fmt.Sprintf("lowest nmse%.4g", best); !strings.Contains(tile, want) {
		t.Errorf("summary %q, want %q", tile, want)
	}
	if trees := eval[string](p, `document.getElementById("tree-list").textContent`); !strings.Contains(trees,
		"6 cells  1.81 s, saves 9.05 s") {
		t.Errorf("stages %q", trees)
	}
	p.do(chromedp.SetValue("#colour", "dict_size", chromedp.ByID),
		chromedp.Evaluate(`document.getElementById("colour").dispatchEvent(new Event("change"))`, nil))
	if legend := eval[string](p, `document.querySelector("#pareto .legend").textContent`); !strings.Contains(legend,
		"dict_size = 512") {
		t.Errorf("legend %q", legend)
	}
	p.drag("#parallel .strip[data-axis=k]", 0.5, 0.98, 0.5, 0.6) // the lower values
	if got := p.count(); got != "12 of 24 cells selected" {
		t.Error(got)
	}
	p.do(chromedp.Click("#clear", chromedp.ByID))
	p.frames()
	// Cells without dead latents have no place on a logarithmic axis.
	p.do(chromedp.Click(`#auxk-dead button[aria-label*="logarithmic x"]`, chromedp.ByQuery))
	note := eval[string](p, `document.querySelector("#auxk-dead .axis-note").textContent`)
	if !strings.HasPrefix(note, "5 cells are not shown") {
		t.Errorf("note %q", note)
	}
	// A curve of l2_loss has the values of the table, though the data hold those of train_nmse alone.
	p.do(chromedp.Evaluate(`(() => { const s = document.querySelector("#curves select"); s.value = "l2_loss";
		s.dispatchEvent(new Event("change")); })()`, nil))
	p.do(chromedp.Focus("#curves > svg", chromedp.ByQuery), chromedp.KeyEvent(kb.ArrowRight))
	said := eval[string](p, `document.getElementById("said").textContent`)
	c, err := s.Curve(0)
	if err != nil {
		t.Fatal(err)
	}
	_, end, _ := strings.Cut(said, "steps ")
	var step int64
	var got, loss float64
	if _, err := fmt.Sscanf(end, "%d, l2_loss, mean ‖x̂−x‖² %g", &step, &got); err != nil {
		t.Fatalf("%s: %v", said, err)
	}
	for i := range c.Rows {
		if c.Value(i, "step") == step {
			loss, _ = c.Number(i, "l2_loss")
		}
	}
	if !(loss > 0) || !(abs(got-loss) <= 2e-3*loss) {
		t.Errorf("l2_loss is %g, want %g: %s", got, loss, said)
	}
	for axis, want := range map[string]string{
		"tokens": fmt.Sprintf(" tokens %d", step*256), "flops": fmt.Sprintf(" dense-equivalent %d", step*256*12*64*512),
	} {
		p.do(chromedp.Evaluate(`(() => { const s = document.querySelectorAll("#curves select")[1]; s.value = "`+axis+`";
			s.dispatchEvent(new Event("change")); })()`, nil), chromedp.Blur("#curves > svg", chromedp.ByQuery))
		p.do(chromedp.Focus("#curves > svg", chromedp.ByQuery), chromedp.KeyEvent(kb.ArrowRight))
		said := eval[string](p, `document.getElementById("said").textContent`)
		if !strings.Contains(strings.ReplaceAll(said, ",", ""), want) {
			t.Errorf("%s: %s, want %s", axis, said, want)
		}
	}
	// The third cell is shown where the third row is clicked, and the pointer over a line shows a cell.
	p.do(chromedp.Click("#table tbody tr:nth-child(3) button", chromedp.ByQuery))
	text := eval[string](p, `document.getElementById("details").textContent`)
	if !strings.Contains(text, s.Plan.Cells[2].ID) {
		t.Errorf("the panel of the third cell: %s", text)
	}
	if !strings.Contains(text, "steps 0 to 181: 1.81 s, shared by 6 cells") {
		t.Errorf("who trained the third cell: %s", text)
	}
	p.box("#parallel > svg")
	p.do(chromedp.Evaluate(`(() => { const svg = document.querySelector("#parallel > svg");
		const [x, y] = svg.querySelector(".joined").getAttribute("d").slice(1).split(/[ A-Z]/).map(Number);
		const r = svg.getBoundingClientRect();
		const at = {clientX: r.left + x, clientY: r.top + y, bubbles: true};
		svg.dispatchEvent(new PointerEvent("pointermove", at)); })()`, nil))
	if !eval[bool](p, `(() => { const e = document.getElementById("tip");
		return !e.hidden && e.textContent.includes("nmse"); })()`) {
		t.Error("the pointer over a line of the parallel coordinates shows no cell")
	}
	p.check()
}

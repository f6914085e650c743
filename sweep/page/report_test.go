package page

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/table"
)

// Axes have names with units, and a plot has a mark for each cell.
func TestBrowserPlots(t *testing.T) {
	b := newBrowser(t)
	p := b.openReport(t, Input{Sweeps: []Sweep{sampleSweep(t, smallGrid, nil)}}, 1280)
	for id, want := range map[string][2]string{
		"nmse-n": {"n, dictionary size (latents)", "nmse"}, "nmse-k": {"k (latents)", "nmse"},
		"pareto": {"l0 (latents)", "nmse"}, "auxk-dead": {"dead latents (latents)", "AuxK loss"},
		"curves": {"steps", "train nmse"},
	} {
		got := eval[[]string](p, fmt.Sprintf(`["x", "y"].map((a) =>
			document.querySelector("#%s ." + a + "-label").textContent)`, id))
		if got[0] != want[0] || got[1] != want[1] {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
		marks := eval[int](p, fmt.Sprintf(`[...document.querySelectorAll("#%s .layer-on path")].reduce((n, e) =>
			n + e.getAttribute("d").split("M").length - 1, 0)`, id))
		if marks != 24 {
			t.Errorf("%s: %d marks", id, marks)
		}
		if n := eval[int](p, fmt.Sprintf(`document.querySelectorAll("#%s .legend span").length`, id)); n != 2 {
			t.Errorf("%s: %d groups in the legend", id, n)
		}
	}
	// Logarithmic and linear axes: the ticks differ.
	ticks := func() string {
		return eval[string](p, `document.querySelector("#pareto > svg .grid").getAttribute("d")`)
	}
	before := ticks()
	p.do(chromedp.Click(`#pareto button[aria-label*="logarithmic x"]`, chromedp.ByQuery))
	if after := ticks(); after == before {
		t.Errorf("linear and logarithmic axes are alike: %s", after)
	}
	// The pointer over a mark shows the cell, in every plot.
	p.do(chromedp.Evaluate(`(() => {
		const svg = document.querySelector("#nmse-n > svg");
		svg.scrollIntoView({block: "center"});
		const r = svg.getBoundingClientRect(); const d = svg.querySelector(".layer-on path").getAttribute("d");
		const [x, y] = d.slice(1).split(/[ a-z]/).map(Number);
		svg.dispatchEvent(new PointerEvent("pointermove",
			{clientX: r.left + x + 3, clientY: r.top + y, bubbles: true})); })()`, nil))
	if tip := eval[string](p, `document.getElementById("tip").textContent`); !strings.Contains(tip, "nmse") {
		t.Errorf("tip %q", tip)
	}
	if rings := eval[int](p, `document.querySelectorAll(".ring").length`); rings != 6 {
		t.Errorf("%d rings: want one in each of 5 plots and the parallel coordinates", rings)
	}
	// Each series of the curves is drawn, those that are not in the data as such too.
	for _, name := range []string{"l2_loss", "auxk_loss", "dead_latents", "grad_norm", "nmse"} {
		p.do(chromedp.Evaluate(`(() => { const s = document.querySelector("#curves select"); s.value = "`+name+`";
			s.dispatchEvent(new Event("change")); })()`, nil))
		lines := eval[int](p, `[...document.querySelectorAll("#curves .layer-on .curve")].reduce((n, e) =>
			n + e.getAttribute("d").split("M").length - 1, 0)`)
		axis := eval[string](p, `document.querySelector("#curves .y-label").textContent`)
		if lines != 24 || axis == "train nmse" {
			t.Errorf("%s: %d curves, axis %s", name, lines, axis)
		}
	}
	// The keyboard goes through the cells and shows one.
	p.do(chromedp.Focus("#nmse-k > svg", chromedp.ByQuery), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.Enter))
	if said := eval[string](p, `document.getElementById("said").textContent`); !strings.Contains(said, "nmse") {
		t.Errorf("said %q", said)
	}
	p.do(chromedp.WaitVisible("#details", chromedp.ByID))
	if text := eval[string](p, `document.getElementById("details").textContent`); !strings.Contains(text, "A processor") ||
		!strings.Contains(text, "v1.2.3") || !strings.Contains(text, "Density") {
		t.Errorf("details %q", text)
	}
	p.check()
}

// Sorting by a column goes up, down and back to the grid's order; cells without a value come last.
func TestBrowserTable(t *testing.T) {
	b := newBrowser(t)
	p := b.openReport(t, Input{Sweeps: []Sweep{sampleSweep(t, smallGrid, withFailures)}}, 1280)
	column := func() []string {
		at := eval[int](p, `[...document.querySelectorAll("#table th")].findIndex((e) => e.dataset.name === "nmse")`)
		return eval[[]string](p, fmt.Sprintf(`[...document.querySelectorAll("#table tbody tr")].map((r) =>
			r.children[%d].textContent)`, at))
	}
	plain := column()
	up := slices.DeleteFunc(slices.Clone(plain), func(v string) bool { return v == "–" })
	slices.Sort(up)
	up = append(up, "–", "–", "–")
	click := chromedp.Click(`#table th[data-name="nmse"] button`, chromedp.ByQuery)
	p.do(click)
	if got := column(); !slices.Equal(got, up) {
		t.Errorf("ascending %v, want %v", got, up)
	}
	if got := eval[string](p, `document.querySelector("#table th[aria-sort]").ariaSort`); got != "ascending" {
		t.Error(got)
	}
	p.do(click)
	if got := column(); got[0] != up[20] || got[20] != up[0] || got[23] != "–" {
		t.Errorf("descending %v", got)
	}
	p.do(click)
	if got := column(); !slices.Equal(got, plain) {
		t.Errorf("third click: %v", got)
	}
	summary := eval[string](p, `document.getElementById("summary").textContent`)
	if want := "21 completed, 1 failed, 1 canceled, 1 to do"; !strings.Contains(summary, want) {
		t.Errorf("summary %q, want %q", summary, want)
	}
	p.do(chromedp.Click("#all-columns", chromedp.ByID))
	if head := eval[string](p, `document.querySelector("#table thead").textContent`); !strings.Contains(head, "flops") {
		t.Errorf("all columns are %s", head)
	}
	p.do(chromedp.Click("#all-columns", chromedp.ByID))
	// The reason of a failure is there as it is, and nothing of it was run.
	for _, id := range []string{"table", "failures"} {
		if text := eval[string](p, `document.getElementById("`+id+`").textContent`); !strings.Contains(text, hostile) {
			t.Errorf("%s lacks the reason: %s", id, text)
		}
	}
	if n := eval[int](p, `document.images.length`); n != 0 {
		t.Errorf("%d images", n)
	}
	p.check()
	// What nobody has trained is not said to be.
	p = b.openReport(t, Input{Sweeps: []Sweep{sampleSweep(t, smallGrid, allFailed)}}, 1280)
	summary = eval[string](p, `document.getElementById("summary").textContent`)
	if !strings.Contains(summary, "no result tells of 5,272") {
		t.Errorf("no cell was trained, and the summary says %s", summary)
	}
	// A long reason is whole under Failures, and does not fill the table.
	long := strings.Repeat("line of a trace\n", 10_000)
	p = b.openReport(t, Input{Sweeps: []Sweep{sampleSweep(t, smallGrid, func(i int, r *ledger.Result) {
		allFailed(i, r)
		r.Error = long + r.Error
	})}}, 1280)
	if n := eval[int](p, `document.querySelector("#table td.error").textContent.length`); n > 400 {
		t.Errorf("%d characters in a cell of the table", n)
	}
	if n := eval[int](p, `document.querySelector("#failures pre").textContent.length`); n != len(long)+len("no memory") {
		t.Errorf("%d characters of the reason", n)
	}
	if h := eval[int](p, `document.querySelector("#failures pre").clientHeight`); h > 400 {
		t.Errorf("a reason is %d high", h)
	}
	p.check()
}

// The settings of a cell stand in full where it is pointed at and where it is shown. A note on the data stands once.
func TestBrowserWords(t *testing.T) {
	b := newBrowser(t)
	text := strings.Replace(smallGrid, "lr: 0.002,", "", 1)
	text = strings.Replace(text, "k: [8, 32]", "k: [8], lr: [0.00200001, 0.00200002]", 1)
	p := b.openReport(t, Input{Sweeps: []Sweep{sampleSweep(t, text, nil)}}, 1280)
	p.do(chromedp.Focus("#nmse-n > svg", chromedp.ByQuery), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.Enter))
	for _, id := range []string{"tip", "details"} {
		if got := eval[string](p, `document.getElementById("`+id+`").textContent`); !strings.Contains(got, "lr0.0020000") {
			t.Errorf("%s: %s", id, got)
		}
	}
	notes := eval[[]string](p, `[...document.querySelectorAll("#notes li")].map((e) => e.textContent)`)
	if n := strings.Count(strings.Join(notes, "\n"), sampleNote); n != 1 {
		t.Errorf("the note on the data stands %d times in %q", n, notes)
	}
	p.check()
}

// Downloads hold the selected rows, with all columns and all digits; a plot is an SVG that stands alone.
func TestBrowserDownloads(t *testing.T) {
	b := newBrowser(t)
	s := sampleSweep(t, smallGrid, withFailures)
	p := b.openReport(t, Input{Sweeps: []Sweep{s}}, 1280)
	p.do(cdpbrowser.SetDownloadBehavior(cdpbrowser.SetDownloadBehaviorBehaviorAllow).WithDownloadPath(b.downloads))
	p.filter("k=8 dict_size=512")
	get := func(click, name string) []byte {
		t.Helper()
		p.do(chromedp.Click(click, chromedp.ByQuery))
		path := filepath.Join(b.downloads, name)
		for {
			if content, err := os.ReadFile(path); err == nil && len(content) > 0 {
				return content
			}
			p.frames() // ends with the browser's time limit
		}
	}
	lines, err := csv.NewReader(strings.NewReader(string(get("#get-csv", "small.csv")))).ReadAll()
	if err != nil || len(lines) != 7 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	var objects []map[string]any
	if err := json.Unmarshal(get("#get-json", "small.json"), &objects); err != nil || len(objects) != 6 {
		t.Fatalf("%d objects, %v", len(objects), err)
	}
	at := slices.Index(lines[0], "nmse")
	failed := slices.Index(lines[0], "error")
	if got, want := objects[0]["nmse"], *s.Results[0].Metrics.NMSE; got != want || lines[1][at] != fmt.Sprint(want) {
		t.Errorf("nmse %v and %s, want %v", got, lines[1][at], want)
	}
	if objects[1]["nmse"] != nil || lines[2][at] != "" || objects[1]["error"] != hostile || lines[2][failed] != hostile {
		t.Errorf("the failed run: %v, %q", objects[1], lines[2])
	}
	picture := string(get(`#pareto button[aria-label^="Download SVG"]`, "small-pareto.svg"))
	for _, want := range []string{`xmlns="http://www.w3.org/2000/svg"`, "l0 (latents)", "fill="} {
		if !strings.Contains(picture, want) {
			t.Errorf("the picture lacks %s", want)
		}
	}
	if strings.Contains(picture, "class=") || strings.Contains(picture, "var(") {
		t.Error("the picture needs the page's styles")
	}
	p.check()
	p = b.openReport(t, Input{Results: []table.Table{hostileTable()}}, 1280)
	var rows []struct {
		Seed json.Number
		Odd  string `json:"<b>"`
	}
	if err := json.Unmarshal(get("#get-json", "Results.json"), &rows); err != nil || len(rows) != 5 {
		t.Fatalf("%d objects, %v", len(rows), err)
	}
	if rows[0].Seed != "9223372036854775807" || rows[0].Odd != hostile || rows[2].Seed != "-3" {
		t.Errorf("%+v", rows)
	}
	p.check()
}

// The command at a fork extends the sweep by one cell that shares the stages before the fork.
func TestBrowserTree(t *testing.T) {
	b := newBrowser(t)
	s := sampleSweep(t, smallGrid, nil)
	p := b.openReport(t, Input{Sweeps: []Sweep{s}}, 1280)
	forks := eval[int](p, `document.querySelectorAll("#trees circle.fork").length`)
	if forks < 8 {
		t.Fatalf("%d forks", forks)
	}
	if text := eval[string](p, `document.getElementById("trees").textContent`); !strings.Contains(text, "saved") {
		t.Errorf("the tree does not tell what was saved: %s", text)
	}
	for i := range forks {
		at := eval[string](p, fmt.Sprintf(`(() => { const f = document.querySelectorAll("#trees circle.fork")[%d];
			f.dispatchEvent(new MouseEvent("click", {bubbles: true})); return f.getAttribute("aria-label"); })()`, i))
		text := eval[string](p, `document.querySelector("#trees .extend pre").textContent`)
		_, rest, ok := strings.Cut(text, "<<'GRID'\n")
		gridText, command, ok2 := strings.Cut(rest, "GRID\n")
		if !ok || !ok2 || command != "sweep extend "+s.Plan.ID+" extend.yaml" {
			t.Fatalf("%s: %s", at, text)
		}
		g, err := grid.Parse("extend.yaml", []byte(gridText), grid.ParseOptions{})
		if err != nil {
			t.Fatalf("%s: %v\n%s", at, err, gridText)
		}
		if g.Data.Source != s.Plan.Data.Source || g.Data.Normalize != s.Plan.Data.Normalize || *g.Data.Layer != 8 {
			t.Errorf("%s: data %+v, want %+v", at, g.Data, s.Plan.Data)
		}
		add, err := plan.New(g, s.Plan.Info, plan.Estimates{})
		if err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		whole := planOf(t, smallGrid)
		before := len(whole.Cells)
		added, err := whole.Extend(add)
		if err != nil || added != 1 {
			t.Fatalf("%s: %d cells more, %v\n%s", at, added, err, gridText)
		}
		var step int
		if _, err := fmt.Sscanf(strings.ReplaceAll(at, ",", ""), "fork at step %d", &step); err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		if !shares(whole, before, step) {
			t.Errorf("%s: the new cell shares fewer steps\n%s", at, gridText)
		}
	}
	p.check()
	s.Plan.Semantics = 1
	p = b.openReport(t, Input{Sweeps: []Sweep{s}}, 1280)
	p.do(chromedp.Evaluate(`document.querySelector("#trees circle.fork").dispatchEvent(new MouseEvent("click"))`, nil))
	text := eval[string](p, `document.querySelector("#trees .extend").textContent`)
	if !strings.Contains(text, "no new cells") {
		t.Errorf("a sweep that cannot be extended: %s", text)
	}
	p.check()
}

// shares says that a cell trains its first steps with another one of the plan.
func shares(p *plan.Plan, cell, steps int) bool {
	c := p.Cells[cell]
	for _, other := range p.Cells[:cell] {
		for _, l := range []plan.Level{plan.LevelTrunk, plan.LevelAuxK} {
			prefix := min(plan.PrefixSteps(c.Config), plan.PrefixSteps(other.Config))
			if prefix >= steps && p.Trajectory(c, l) == p.Trajectory(other, l) {
				return true
			}
		}
		if p.Trajectory(c, plan.LevelSchedule) == p.Trajectory(other, plan.LevelSchedule) {
			return true
		}
	}
	return false
}

// On paper the report is black on white whatever the scheme; the table has its head and its cells, and nothing is cut.
func TestBrowserPrint(t *testing.T) {
	b := newBrowser(t)
	p := b.openReport(t, Input{Sweeps: []Sweep{sampleSweep(t, smallGrid, withFailures)}}, 720)
	p.do(emulation.SetEmulatedMedia().WithMedia("print").WithFeatures(
		[]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}))
	if ink := eval[string](p, `getComputedStyle(document.body).color`); ink != "rgb(29, 36, 51)" {
		t.Errorf("text is printed in %s", ink)
	}
	for selector, want := range map[string]bool{
		"#table th button": true, "#table td .link": true, "#count": true, "#filter": true,
		"#clear": false, "#get-csv": false, ".plot .head button": false, "#filter-help": false,
	} {
		got := eval[bool](p, `document.querySelector("`+selector+`").checkVisibility()`)
		if got != want {
			t.Errorf("%s is printed: %t, want %t", selector, got, want)
		}
	}
	cut := eval[[]string](p, `[...document.querySelectorAll("#table, #parallel, .tree-scroll")].filter((e) =>
		getComputedStyle(e).overflowX !== "visible" || getComputedStyle(e).maxHeight !== "none").map((e) => e.id)`)
	if len(cut) != 0 {
		t.Errorf("cut off: %q", cut)
	}
	p.check()
}

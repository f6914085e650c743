package page

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browserTimeout is far above what any page takes.
const browserTimeout = 4 * time.Minute

// chromium returns the path of the browser. Without one the test is skipped, or fails if SWEEP_TEST_MUST_RUN is set.
func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("SWEEP_TEST_MUST_RUN") != "" {
		t.Fatal("no chromium in PATH; apt-get install chromium")
	}
	t.Skip("no chromium in PATH")
	return ""
}

// A browser is headless Chromium. It ends with the test.
type browser struct {
	ctx       context.Context
	downloads string // folder
}

func newBrowser(t testing.TB) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.WSURLReadTimeout(browserTimeout))
	ctx, cancel := context.WithTimeout(context.Background(), browserTimeout)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel) // kills the browser and waits for it
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() { chromedp.Cancel(ctx); cancel() })
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return &browser{ctx: ctx, downloads: t.TempDir()}
}

// A tab is an open page, and what it did that it should not.
type tab struct {
	t   testing.TB
	ctx context.Context
	*complaints
}

type complaints struct {
	mu       sync.Mutex
	errors   []string // of the console, and exceptions
	requests []string // for anything but the page itself
}

// open opens a page with a window of a width. features are media features, as prefers-color-scheme=dark.
func (b *browser) open(t testing.TB, url string, width int64, features ...string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	t.Cleanup(cancel)
	p := &tab{t, ctx, &complaints{}}
	chromedp.ListenTarget(ctx, func(event any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			p.errors = append(p.errors, e.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
				for _, a := range e.Args {
					p.errors = append(p.errors, string(a.Value)+a.Description)
				}
			}
		case *network.EventRequestWillBeSent:
			if e.Request.URL != url && !strings.HasPrefix(e.Request.URL, "data:") && !strings.HasPrefix(e.Request.URL, "blob:") {
				p.requests = append(p.requests, e.Request.URL)
			}
		}
	})
	media := emulation.SetEmulatedMedia()
	for _, f := range features {
		name, value, _ := strings.Cut(f, "=")
		media.Features = append(media.Features, &emulation.MediaFeature{Name: name, Value: value})
	}
	p.do(network.Enable(), runtime.Enable(), media, chromedp.EmulateViewport(width, 900), chromedp.Navigate(url))
	return p
}

// openReport writes a report to a file and opens it.
func (b *browser) openReport(t testing.TB, in Input, width int64, features ...string) *tab {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, in); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(name, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return b.open(t, "file://"+name, width, features...)
}

func (p *tab) do(actions ...chromedp.Action) {
	p.t.Helper()
	if err := chromedp.Run(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// eval runs a script and returns what it comes to.
func eval[T any](p *tab, script string) (out T) {
	p.t.Helper()
	if err := chromedp.Run(p.ctx, chromedp.Evaluate(script, &out)); err != nil {
		p.t.Fatalf("%s: %v", script, err)
	}
	return out
}

// frames lets the page draw twice, so that what an event asked for is done.
func (p *tab) frames() {
	p.t.Helper()
	p.do(chromedp.Evaluate(`new Promise((done) =>
		requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(true)))))`, nil, awaited))
}

// awaited has Evaluate wait for a promise.
func awaited(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }

// filter types a filter.
func (p *tab) filter(text string) {
	p.t.Helper()
	value, err := json.Marshal(text)
	if err != nil {
		p.t.Fatal(err)
	}
	p.do(chromedp.Evaluate(`(() => { const e = document.getElementById("filter"); e.value = `+string(value)+`;
		e.dispatchEvent(new Event("input")); })()`, nil))
	p.frames()
}

// count is what the page says of the selection: 3 of 24 cells selected.
func (p *tab) count() string { return eval[string](p, `document.getElementById("count").textContent`) }

// swipe puts a finger on an element and moves it, as drag does with the pointer. It returns by how many pixels the page
// scrolled with the finger, at rest again: a page scrolls on for a while when the finger is lifted.
func (p *tab) swipe(selector string, x0, y0, x1, y1 float64) (scrolled float64) {
	p.t.Helper()
	box := p.atRest(selector)
	before := eval[float64](p, "scrollY")
	at := func(part float64) []*input.TouchPoint {
		x, y := x0+(x1-x0)*part, y0+(y1-y0)*part
		return []*input.TouchPoint{{X: box[0] + x*box[2], Y: box[1] + y*box[3]}}
	}
	p.do(input.DispatchTouchEvent(input.TouchStart, at(0)))
	for i := range 10 {
		p.do(input.DispatchTouchEvent(input.TouchMove, at(float64(i+1)/10)))
	}
	p.do(input.DispatchTouchEvent(input.TouchEnd, []*input.TouchPoint{}))
	p.frames()
	p.still()
	return eval[float64](p, "scrollY") - before
}

// still waits until the page has not scrolled for ten frames.
func (p *tab) still() {
	p.t.Helper()
	p.do(chromedp.Evaluate(`new Promise((done) => {
		let last = scrollY, same = 0;
		const look = () => {
			same = scrollY === last ? same + 1 : 0;
			last = scrollY;
			if (same < 10) requestAnimationFrame(look); else done(true);
		};
		requestAnimationFrame(look);
	})`, nil, awaited))
}

// atRest scrolls to an element and returns where it is as soon as the page stands still.
func (p *tab) atRest(selector string) []float64 {
	p.t.Helper()
	p.box(selector)
	p.still()
	return p.box(selector)
}

// box scrolls to an element and returns where it is: left, top, width, height.
func (p *tab) box(selector string) []float64 {
	p.t.Helper()
	return eval[[]float64](p, `(() => {
		const e = document.querySelector(`+quote(selector)+`);
		e.scrollIntoView({block: "center"});
		const r = e.getBoundingClientRect(); return [r.left, r.top, r.width, r.height]; })()`)
}

// drag presses the button at one place of an element, given as shares of its size, and lets it go at another.
func (p *tab) drag(selector string, x0, y0, x1, y1 float64) {
	p.t.Helper()
	box := p.box(selector)
	at := func(x, y float64) (float64, float64) { return box[0] + x*box[2], box[1] + y*box[3] }
	ax, ay := at(x0, y0)
	bx, by := at(x1, y1)
	p.do(
		chromedp.MouseEvent("mousePressed", ax, ay, chromedp.ButtonLeft, chromedp.ClickCount(1)),
		chromedp.MouseEvent("mouseMoved", (ax+bx)/2, (ay+by)/2, chromedp.ButtonLeft),
		chromedp.MouseEvent("mouseMoved", bx, by, chromedp.ButtonLeft),
		chromedp.MouseEvent("mouseReleased", bx, by, chromedp.ButtonLeft, chromedp.ClickCount(1)),
	)
	p.frames()
}

func quote(s string) string { return "\"" + strings.ReplaceAll(s, "\"", "\\\"") + "\"" }

// check fails if the page has complained, or asked for anything besides itself.
func (p *tab) check() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.errors {
		p.t.Errorf("the page complains: %s", e)
	}
	for _, r := range p.requests {
		p.t.Errorf("the page asks for %s", r)
	}
}

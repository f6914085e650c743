package page

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
)

// memory is a source of one sweep, which a test changes.
type memory struct {
	t     testing.TB
	reads atomic.Int32
	at    atomic.Int32 // cells that are completed
	fails atomic.Bool
}

func (m *memory) List(context.Context) ([]Entry, error) {
	return []Entry{{ID: "small-fea6a9ec", State: "training"}}, nil
}

func (m *memory) Read(_ context.Context, sweep string) (Input, error) {
	m.reads.Add(1)
	if m.fails.Load() {
		return Input{}, errors.New("the store does not answer")
	}
	if !strings.HasPrefix(sweep, "small-") {
		return Input{}, ErrUnknown
	}
	done := int(m.at.Load())
	s := sampleSweep(m.t, smallGrid, func(i int, r *ledger.Result) {
		if i >= done {
			*r = ledger.Result{Cell: r.Cell, Config: r.Config, Status: plan.Pending, Data: r.Data}
		}
	})
	s.Live = &Live{State: "training", Running: []Running{}}
	if done < 24 {
		s.Live.Running = append(s.Live.Running, Running{Cell: done, State: "training", Step: 300, Steps: 600})
	} else {
		s.Live.State = "completed"
	}
	return Input{Sweeps: []Sweep{s}}, nil
}

func serve(t *testing.T) (*Server, *memory) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &memory{t: t}
	s, err := Serve(l, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, m
}

// ask sends a request and returns status, headers and body.
func ask(t *testing.T, method, url, host, tag string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		r.Host = host
	}
	if tag != "" {
		r.Header.Set("If-None-Match", tag)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(b)
}

// The server answers this machine's browsers, GET alone, and says of the data whether they are new.
func TestServer(t *testing.T) {
	s, m := serve(t)
	m.at.Store(3)
	at, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	port := at.Port()
	for _, c := range []struct {
		method, path, host string
		want               int
		part               string
	}{
		{"GET", "", "", 200, `href="small-fea6a9ec/"`},
		{"GET", "small-1", "", 301, ""},
		{"GET", "small-1/", "", 200, "<title>small</title>"},
		{"GET", "small-1/", "localhost:" + port, 200, "connect-src"},
		{"HEAD", "small-1/", "", 200, ""},
		{"GET", "small-1/data.json", "[::1]:" + port, 200, `"poll":`},
		{"GET", "small-1/other", "", 404, ""},
		{"GET", "other-1/", "", 404, ""},
		{"GET", "..%2f..%2fetc/", "", 404, ""},
		{"GET", "/", "", 404, ""},
		{"POST", "small-1/data.json", "", 405, ""},
		{"OPTIONS", "small-1/data.json", "", 405, ""},
		{"DELETE", "", "", 405, ""},
		{"GET", "small-1/data.json", "evil.example", 421, ""},
		{"GET", "small-1/data.json", "evil.example:" + port, 421, ""},
		{"GET", "small-1/data.json", "127.0.0.1", 421, ""},
		{"GET", "small-1/data.json", "localhost.evil.example:" + port, 421, ""},
	} {
		status, header, body := ask(t, c.method, s.URL+c.path, c.host, "")
		if status != c.want || !strings.Contains(body, c.part) {
			t.Errorf("%s %s at %q: %d, want %d\n%.300s", c.method, c.path, c.host, status, c.want, body)
		}
		if header.Get("Access-Control-Allow-Origin") != "" || header.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") ||
			!strings.Contains(header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s %s: headers %v", c.method, c.path, header)
		}
		if status >= 400 && strings.Contains(body, "evil") {
			t.Errorf("%s %s: the answer repeats the host: %s", c.method, c.path, body)
		}
	}
	_, header, _ := ask(t, "GET", s.URL+"small-1/data.json", "", "")
	tag := header.Get("ETag")
	if status, _, body := ask(t, "GET", s.URL+"small-1/data.json", "", tag); status != 304 || body != "" || tag == "" {
		t.Errorf("asked again with %s: %d, %.100s", tag, status, body)
	}
	if n := m.reads.Load(); n > 6 {
		t.Errorf("%d reads of the source: what is fresh is not read again", n)
	}
	m.fails.Store(true)
	status, _, body := ask(t, "GET", s.URL+"small-2/", "", "")
	if status != 503 || !strings.Contains(body, "does not answer") {
		t.Errorf("a source that fails: %d %s", status, body)
	}
	s.Close()
	if _, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
		t.Error("the port is open after Close")
	}
	s.Close() // idempotent
}

// Without the key nothing is shown.
func TestServerWithoutKey(t *testing.T) {
	s, m := serve(t)
	at, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/small-1/", "/small-1/data.json", "/0123456789abcdef0123456789abcdef/"} {
		status, _, body := ask(t, "GET", "http://"+at.Host+path, "", "")
		if status != 403 || strings.Contains(body, "small") || strings.Contains(body, at.Path) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if n := m.reads.Load(); n > 0 {
		t.Errorf("%d reads of the source for strangers", n)
	}
}

// A served page shows newer data by itself, and keeps filter and selection.
func TestBrowserLive(t *testing.T) {
	b := newBrowser(t)
	s, m := serve(t)
	m.at.Store(6)
	p := b.open(t, s.URL+"small-1/", 1280)
	live := func() string { return eval[string](p, `document.getElementById("live").textContent`) }
	if got := live(); !strings.Contains(got, "small-fea6a9ec is training: 1 cell training") {
		t.Error(got)
	}
	text := eval[string](p, `document.querySelector("#table tbody").textContent`)
	if !strings.Contains(text, "training: step 300 of 600") {
		t.Errorf("the table does not tell the cell in training: %s", text)
	}
	p.filter("k=8")
	p.drag("#nmse-n > svg", 0.15, 0.1, 0.9, 0.8)
	before := p.count()
	if before == "0 of 24 cells selected" || before == "12 of 24 cells selected" {
		t.Error(before)
	}
	p.do(chromedp.Evaluate(`scrollTo(0, 500)`, nil))
	p.do(chromedp.Evaluate(`(() => { const wait = setTimeout; window.waits = [];
		window.setTimeout = (f, time) => { if (time) waits.push(time); return wait(f, time); }; })()`, nil))
	m.at.Store(24)
	for !strings.Contains(live(), "is completed") {
		p.frames() // ends with the browser's time limit
	}
	if got := eval[string](p, `document.getElementById("filter").value`); got != "k=8" {
		t.Errorf("filter %q", got)
	}
	if got := p.count(); got != before { // the box is one of values: the new cells, of another dict_size, are not in it
		t.Errorf("%s, and before the new data %s", got, before)
	}
	if n := eval[int](p, `[...document.querySelectorAll("#nmse-n .layer-dim path, #nmse-n .layer-on path")].reduce(
		(n, e) => n + e.getAttribute("d").split("M").length - 1, 0)`); n != 12 {
		t.Errorf("%d marks, want the 12 cells of the filter", n)
	}
	if y := eval[float64](p, `scrollY`); !(abs(y-500) <= 1) {
		t.Errorf("scrolled to %g", y)
	}
	if n := eval[int](p, `document.querySelectorAll("#nmse-n .layer-brush rect").length`); n != 1 {
		t.Errorf("%d boxes", n)
	}
	for eval[int](p, `waits.length`) == 0 {
		p.frames()
	}
	if wait := eval[int](p, `waits.at(-1)`); wait != 5*pollBase {
		t.Errorf("a sweep that has ended is asked for again after %d ms", wait)
	}
	m.fails.Store(true)
	for !strings.Contains(live(), "no newer data (the store does not answer)") {
		p.frames()
	}
	if n := eval[int](p, `document.querySelectorAll("#table tbody tr").length`); n == 0 {
		t.Error("what was shown is gone")
	}
	p.mu.Lock()
	p.requests = nil // for data.json
	p.mu.Unlock()
	p.check()
}

// Newer data do not take away what a person is at: the focus, the cell that the keyboard has come to, text that is
// selected, and a range that is being drawn.
func TestBrowserLiveStays(t *testing.T) {
	b := newBrowser(t)
	s, m := serve(t)
	m.at.Store(6)
	p := b.open(t, s.URL+"small-1/", 1280)
	shown := func(part string) {
		t.Helper()
		for !eval[bool](p, `document.getElementById("summary").textContent.includes("`+part+`")`) {
			p.frames() // ends with the browser's time limit
		}
	}
	said := func() string { return eval[string](p, `document.getElementById("said").textContent`) }
	p.do(chromedp.Focus("#nmse-k > svg", chromedp.ByQuery), chromedp.KeyEvent(kb.ArrowRight),
		chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowRight))
	third := said()
	p.do(chromedp.KeyEvent(kb.ArrowLeft)) // to the second
	p.do(chromedp.Evaluate(`(() => { const e = document.querySelector("#settings dd"); const r = document.createRange();
		r.selectNodeContents(e); getSelection().addRange(r); })()`, nil))
	selected := eval[string](p, `String(getSelection())`)
	m.at.Store(8)
	shown("8 completed")
	if got := eval[string](p, `String(getSelection())`); got != selected || got == "" {
		t.Errorf("%q is selected, before the new data %q", got, selected)
	}
	p.do(chromedp.KeyEvent(kb.ArrowRight))
	if got := said(); got != third {
		t.Errorf("behind the second cell the keyboard goes to %q, want %q", got, third)
	}
	for i, selector := range []string{`#table th[data-name="nmse"] button`, `#table tbody tr:nth-child(3) button`} {
		p.do(chromedp.Focus(selector, chromedp.ByQuery))
		m.at.Store(int32(10 + 2*i))
		shown([]string{"10 completed", "12 completed"}[i])
		if !eval[bool](p, `document.activeElement === document.querySelector(`+"`"+selector+"`"+`)`) {
			now := eval[string](p, `document.activeElement.outerHTML.slice(0, 99)`)
			t.Errorf("the focus has left %s for %s", selector, now)
		}
	}
	box := p.box("#parallel .strip[data-axis=k]")
	x, y := box[0]+box[2]/2, box[1]+box[3]*0.02
	p.do(chromedp.MouseEvent("mousePressed", x, y, chromedp.ButtonLeft, chromedp.ClickCount(1)))
	reads := m.reads.Load()
	m.at.Store(24)
	for m.reads.Load() == reads {
		p.frames()
	}
	p.frames()
	y += 0.4 * box[3]
	p.do(chromedp.MouseEvent("mouseMoved", x, y, chromedp.ButtonLeft))
	p.frames()
	if got := p.count(); got != "12 of 24 cells selected" {
		t.Errorf("a range that was begun before newer data came: %s", got)
	}
	p.do(chromedp.MouseEvent("mouseReleased", x, y, chromedp.ButtonLeft, chromedp.ClickCount(1)))
	shown("24 completed")
	if got := p.count(); got != "12 of 24 cells selected" {
		t.Errorf("after newer data: %s", got)
	}
	p.mu.Lock()
	p.requests = nil // for data.json
	p.mu.Unlock()
	p.check()
}

// A source that takes long to answer is asked less often.
func TestFreshUntil(t *testing.T) {
	began := time.Now()
	for took, want := range map[time.Duration]time.Duration{
		0: 2 * time.Second, 100 * time.Millisecond: 2 * time.Second, time.Second: 10 * time.Second,
		time.Hour: time.Minute,
	} {
		now := began.Add(took)
		if got := freshUntil(began, now).Sub(now); got != want {
			t.Errorf("what took %v to read is fresh for %v, want %v", took, got, want)
		}
	}
}

// silent is a source that does not answer.
type silent struct{ memory }

func (*silent) Read(ctx context.Context, _ string) (Input, error) {
	<-ctx.Done()
	return Input{}, ctx.Err()
}

// A source that does not answer keeps nobody waiting for ever.
func TestServerPatience(t *testing.T) {
	s, _ := serve(t)
	s.source, s.patience = &silent{}, time.Millisecond
	status, _, body := ask(t, "GET", s.URL+"small-1/data.json", "", "")
	if status != 503 || !strings.Contains(body, "has not answered within 1ms") {
		t.Errorf("%d %s", status, body)
	}
}

// A source that fails is not asked by each request either.
func TestServerFailure(t *testing.T) {
	s, m := serve(t)
	m.fails.Store(true)
	for i := range 20 {
		if status, _, body := ask(t, "GET", s.URL+"small-1/data.json", "", ""); status != 503 {
			t.Fatalf("%d %s", status, body)
		}
		s.mu.Lock()
		p, ok := s.pages["small-1"]
		p.fresh = p.fresh.Add(time.Hour) // however slow this machine is
		s.pages["small-1"] = p
		s.mu.Unlock()
		if n := m.reads.Load(); n != 1 || !ok {
			t.Fatalf("%d reads of the source after %d requests", n, i+1)
		}
	}
}

// Of many reports only a few are kept in memory.
func TestServerPages(t *testing.T) {
	s, _ := serve(t)
	for i := range 2 * mostPages {
		if status, _, body := ask(t, "HEAD", fmt.Sprintf("%ssmall-%d/data.json", s.URL, i), "", ""); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.pages); n > mostPages {
		t.Errorf("%d reports are kept", n)
	}
}

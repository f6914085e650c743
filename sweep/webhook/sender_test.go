package webhook

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const secret = "T0000-B0000-PlantedSecret"

// soon is far more than any step of a test takes.
const soon = time.Minute

// An endpoint answers with one status after the other, the last of them for ever.
type endpoint struct {
	*httptest.Server
	mu       sync.Mutex
	statuses []int
	got      []string // bodies
}

func newEndpoint(t *testing.T, statuses ...int) *endpoint {
	e := &endpoint{statuses: statuses}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got = append(e.got, string(body))
	status := e.statuses[0]
	if len(e.statuses) > 1 {
		e.statuses = e.statuses[1:]
	}
	w.WriteHeader(status)
	io.WriteString(w, "cannot POST "+r.URL.String()) // as some servers say
}

func (e *endpoint) bodies() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.got...)
}

// logged is a log in memory.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// senderTo returns a sender that makes three tries without waiting long, and its log.
func senderTo(t *testing.T, url string) (*Sender, *logged) {
	t.Helper()
	to, err := Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	log := &logged{}
	s := newSender(to, slog.New(slog.NewTextHandler(log, nil)), []time.Duration{time.Millisecond, time.Millisecond})
	t.Cleanup(func() { s.Close(0) })
	return s, log
}

func TestTries(t *testing.T) {
	for name, c := range map[string]struct {
		statuses []int
		tries    int
		log      string // "" for nothing
	}{
		"taken":              {[]int{200}, 1, ""},
		"taken, no content":  {[]int{204}, 1, ""},
		"a server restarts":  {[]int{503, 502, 200}, 3, ""},
		"too many":           {[]int{429, 200}, 2, ""},
		"nobody is there":    {[]int{500}, 3, "500 Internal Server Error"},
		"the hook is gone":   {[]int{404}, 1, "404 Not Found"},
		"no right":           {[]int{403}, 1, "403 Forbidden"},
		"a status of no one": {[]int{499}, 1, "499 unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEndpoint(t, c.statuses...)
			s, log := senderTo(t, e.URL+"/services/"+secret+"?token="+secret)
			s.Send(Message{Event: RunHangs})
			// The next message follows when this one is done with.
			s.Send(Message{Event: WorkerUnfit})
			until(t, func() bool { return strings.Contains(strings.Join(e.bodies(), ""), WorkerUnfit) })
			s.Close(soon)
			first := 0
			for _, b := range e.bodies() {
				if strings.Contains(b, RunHangs) {
					first++
				}
			}
			if first != c.tries {
				t.Errorf("%d tries, want %d", first, c.tries)
			}
			if got := log.String(); (c.log == "") != (got == "") || !strings.Contains(got, c.log) {
				t.Errorf("log, want %q:\n%s", c.log, got)
			}
			if strings.Contains(log.String(), secret) {
				t.Errorf("the log has the URL:\n%s", log)
			}
		})
	}
}

func wait(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-t.Context().Done():
		t.Fatal("not in time")
	case <-time.After(soon):
		t.Fatal("not in time")
	}
}

// until polls for what the sender's goroutine brings about.
func until(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(soon); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not in time")
		}
	}
}

// The body goes to no other host, nor anywhere else than the URL says.
func TestRedirect(t *testing.T) {
	other := newEndpoint(t, 200)
	for _, status := range []int{301, 302, 303, 307, 308} {
		from := httptest.NewServer(http.RedirectHandler(other.URL+"/"+secret, status))
		t.Cleanup(from.Close)
		s, log := senderTo(t, from.URL+"/"+secret)
		wait(t, s.Send(Message{Event: RunHangs}))
		s.Close(soon)
		if got := log.String(); !strings.Contains(got, "redirects are not followed") || strings.Contains(got, secret) {
			t.Errorf("%d: log:\n%s", status, got)
		}
	}
	if got := other.bodies(); len(got) > 0 {
		t.Errorf("the other host got %q", got)
	}
}

// What cannot be reached is given up, and named by its host alone.
func TestUnreachable(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	untrusted := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a server whose certificate nobody knows got the message")
	}))
	untrusted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	cuts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(cuts.Close)
	for name, c := range map[string]struct{ url, log string }{
		"nobody listens": {gone.URL, "connection refused"},
		"untrusted":      {untrusted.URL, "certificate"},
		"cut off":        {cuts.URL, "closed without an answer"},
		"http as https":  {strings.Replace(cuts.URL, "http:", "https:", 1), "is it http or https"},
	} {
		t.Run(name, func(t *testing.T) {
			s, log := senderTo(t, strings.Replace(c.url, "://", "://user:"+secret+"@", 1)+"/"+secret)
			s.Send(Message{Event: RunHangs})
			s.Send(Message{Event: WorkerUnfit})
			until(t, func() bool { return strings.Contains(log.String(), WorkerUnfit) })
			if got := log.String(); !strings.Contains(got, c.log) || !strings.Contains(got, "tries=3") ||
				strings.Contains(got, secret) {
				t.Errorf("log, want %q:\n%s", c.log, got)
			}
		})
	}
}

// A server that does not answer holds nobody up: messages are taken or dropped at once, and the end does not wait for
// long.
func TestSlow(t *testing.T) {
	asked, done := make(chan struct{}, 1), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-done
	}))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(done) })
	s, log := senderTo(t, slow.URL+"/"+secret)
	s.Send(Message{Event: RunHangs})
	<-asked
	for range queued {
		s.Send(Message{Event: WorkerUnfit})
	}
	wait(t, s.Send(Message{Event: SweepEnded})) // the queue is full
	if got := log.String(); strings.Count(got, "dropped") != 1 || !strings.Contains(got, SweepEnded) {
		t.Errorf("log:\n%s", got)
	}
	s.Close(0)
	wait(t, s.Send(Message{Event: RunHangs})) // after the end
	if strings.Contains(log.String(), secret) {
		t.Errorf("the log has the URL:\n%s", log)
	}
}

// What waits for its next try when the sender is closed is tried once more.
func TestClose(t *testing.T) {
	e := newEndpoint(t, 503, 200)
	s, log := senderTo(t, e.URL)
	s.delays = []time.Duration{time.Hour, time.Hour} // before the first message
	wait(t, s.Send(Message{Event: RunHangs}))
	s.Close(soon)
	if got := e.bodies(); len(got) != 2 || log.String() != "" {
		t.Errorf("%d tries\n%s", len(got), log)
	}
	var none *Sender
	wait(t, none.Send(Message{}))
	none.Close(soon)
}

// Who waits for a message does not wait for the next try of one before it.
func TestWaitingBehindOthers(t *testing.T) {
	asked, answer := make(chan struct{}, 1), make(chan struct{})
	e := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-answer
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(e.Close)
	s, _ := senderTo(t, e.URL)
	s.delays = []time.Duration{time.Hour} // before the first message
	first := s.Send(Message{Event: RunHangs})
	<-asked
	second := s.Send(Message{Event: WorkerUnfit}) // before the first one has failed
	close(answer)
	wait(t, first)
	wait(t, second)
	wait(t, s.Send(Message{Event: SweepEnded})) // after it
	s.end()                                     // no try more
}

func TestParse(t *testing.T) {
	file := func(text string) string {
		name := filepath.Join(t.TempDir(), "webhook")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	const url = "https://hooks.example.com:8443/services/" + secret
	for _, c := range []struct {
		value, host string
		bad         bool
	}{
		{"", "", false},
		{url, "hooks.example.com:8443", false},
		{"HTTP://u:" + secret + "@host/x", "host", false},
		{file(url), "hooks.example.com:8443", false},
		{file("  " + url + "\r\n\n"), "hooks.example.com:8443", false},
		{file(url + "\n" + url), "", true},
		{file(""), "", true},
		{file(secret), "", true},
		{"/nothing/here", "", true},
		{"hooks.example.com/services/" + secret, "", true},
		{"ftp://host/" + secret, "", true},
		{"https:///" + secret, "", true},
		{"https://%zz/" + secret, "", true},
		{"https://host/" + secret + " x", "", true},
		{t.TempDir(), "", true},
	} {
		to, err := Parse(c.value)
		if (err != nil) != c.bad || to.String() != c.host {
			t.Errorf("%q: %q, %v", c.value, to, err)
		}
		for _, text := range []string{slog.Any("x", to).String(), slog.Any("x", err).String()} {
			if strings.Contains(text, secret) {
				t.Errorf("%q shows %s", c.value, text)
			}
		}
	}
}

// Names and errors may hold anything, and call nobody.
func TestCalm(t *testing.T) {
	for text, want := range map[string]string{
		"@all": "＠all", "a @here": "a ＠here", "x=@all (@all)": "x=＠all (＠all)", "\t@all\n@all": "\t＠all\n＠all",
		"lr_@all.@all:@all-@all,@all": "lr_＠all.＠all:＠all-＠all,＠all", "a@@all": "a＠＠all", "é@all": "é＠all",
		"*@all* '@all' \u200b@all": "*＠all* '＠all' \u200b＠all", "<@U1> <!channel>": "‹＠U1› ‹!channel›",
		"4711@gpu-7": "4711@gpu-7",
	} {
		if got := calm(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// The JSON of messages, as docs/operation.md has it.
func TestMessage(t *testing.T) {
	at := time.Date(2026, 11, 28, 15, 4, 5, 0, time.UTC)
	long := strings.Repeat("long ", 1000)
	for name, c := range map[string]struct {
		m    Message
		want string
		text string
	}{
		"failed": {Message{Event: RunsFailed, Time: at, Sweep: &Sweep{
			ID: "demo-01234567", Name: "demo", State: "training", Cells: 16, Done: 3, Failed: 1,
			Best:     &Best{Cell: "c1", Label: "k=8 dict_size=2048", NMSE: 0.12345678},
			Failures: []Failure{{Cell: "c2", Label: "lr=1e37", Error: "step 17: the loss is NaN"}},
		}}, `{"event":"runs_failed","time":"2026-11-28T15:04:05Z","sweep":"demo-01234567","name":"demo",` +
			`"state":"training","cells":16,"done":3,"failed":1,"canceled":0,` +
			`"best":{"cell":"c1","label":"k=8 dict_size=2048","nmse":0.12345678},` +
			`"failures":[{"cell":"c2","label":"lr=1e37","error":"step 17: the loss is NaN"}]`,
			"Sweep demo-01234567 goes on, and runs fail: 3 of 16 runs done, 1 failed. Best: k=8 dict_size=2048, " +
				"nmse 0.1235.\nlr=1e37 failed: step 17: the loss is NaN"},
		"ended": {Message{Event: SweepEnded, Time: at, Sweep: &Sweep{
			ID: "demo-01234567", Name: "demo", State: "failed", Cells: 16, Done: 3, Failed: 2, Canceled: 4,
		}}, `{"event":"sweep_ended","time":"2026-11-28T15:04:05Z","sweep":"demo-01234567","name":"demo",` +
			`"state":"failed","cells":16,"done":3,"failed":2,"canceled":4`,
			"Sweep demo-01234567 failed: 3 of 16 runs done, 2 failed, 4 canceled, 7 not trained."},
		"unfit": {Message{Event: WorkerUnfit, Time: at, Worker: "4711@gpu-7 (cuda, 8 slots)", Reason: "no data"},
			`{"event":"worker_unfit","time":"2026-11-28T15:04:05Z","worker":"4711@gpu-7 (cuda, 8 slots)",` +
				`"reason":"no data"`, "Worker 4711@gpu-7 (cuda, 8 slots): no data"},
		"hangs": {Message{Event: RunHangs, Time: at, Worker: "w", Reason: "<!channel> @all\n@here é\xff"},
			`{"event":"run_hangs","time":"2026-11-28T15:04:05Z","worker":"w","reason":"\u003c!channel\u003e @all\n@here é` +
				`\ufffd"`, "A run hangs on worker w: ‹!channel› ＠all\n＠here é\ufffd"},
		"long": {Message{Event: RunHangs, Time: at, Worker: long, Reason: long}, `{"event":"run_hangs"`, ""},
	} {
		b, err := json.Marshal(c.m)
		if err != nil || !strings.HasPrefix(string(b), c.want) {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, b, c.want)
		}
		var got struct {
			Text, Content string
			Mentions      struct{ Parse []string } `json:"allowed_mentions"`
		}
		if err := json.Unmarshal(b, &got); err != nil || got.Text == "" || c.text != "" && got.Text != c.text {
			t.Errorf("%s: %v, text\n%s\nwant\n%s", name, err, got.Text, c.text)
		}
		if got.Content != got.Text || len(got.Text) > maxText || got.Mentions.Parse == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

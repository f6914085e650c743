//go:build !noserver

package main

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/topksweep/sweep/sweep/webhook"
)

// A hook is an endpoint that keeps what it gets.
type hook struct {
	*httptest.Server
	answer func(w http.ResponseWriter, m webhook.Message) // nil: 200

	mu  sync.Mutex
	got []webhook.Message
	to  []string // what was asked for, with the host
}

func startHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m webhook.Message
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if err != nil || r.Method != http.MethodPost || !json.Valid(body) {
		m.Event = "not a message: " + r.Method + " " + string(body)
	}
	h.mu.Lock()
	h.got, h.to = append(h.got, m), append(h.to, r.URL.String())
	h.mu.Unlock()
	if h.answer != nil {
		h.answer(w, m)
	}
}

// messages returns what has come so far, and where to.
func (h *hook) messages() ([]webhook.Message, []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.got), slices.Clone(h.to)
}

// wants checks the events that have come, in their order.
func (h *hook) wants(t *testing.T, events ...string) []webhook.Message {
	t.Helper()
	all, _ := h.messages()
	var got []string
	// A message whose answer is late comes once more.
	all = slices.CompactFunc(all, func(a, b webhook.Message) bool { return a.Event == b.Event && a.Time.Equal(b.Time) })
	for _, m := range all {
		got = append(got, m.Event)
	}
	if !slices.Equal(got, events) {
		t.Fatalf("got %q, want %q", got, events)
	}
	return all
}

// One of its two runs fails at once.
const divergingGrid = `
name: diverges
data: {synthetic: {activation_dim: 8, directions: 16, tokens: 4000, active: 2}}
parameters: {lr: [1e37, 0.001]}
train: {dict_size: 32, k: 2, steps: 60, batch_size: 64}
run: {max_concurrent: 1}
`

// People are told of a run that has failed, and of the end of its sweep with what came out. The endpoint answers the
// first message only when the other run has its result: nothing waits for it. Nothing but the file has the URL.
func TestWebhook(t *testing.T) {
	t.Parallel()
	p := secretsOf("webhook", "proxy")
	dir := t.TempDir()
	results := func() int {
		files, _ := filepath.Glob(filepath.Join(dir, "store", "results", "*.json"))
		return len(files)
	}
	h, answers := startHook(t), make(chan struct{})
	h.answer = func(_ http.ResponseWriter, m webhook.Message) {
		select {
		case <-answers:
		case <-t.Context().Done():
		}
	}
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte(h.URL+"/services/"+p["webhook"]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := startProgram(t, dir, "run", writeGrid(t, divergingGrid), "--no-ui", "--webhook", file)
	waitFor(t, "a message, and the result of the other run", func() bool {
		all, _ := h.messages()
		return len(all) > 0 && results() == 1 || len(run.done) > 0
	})
	close(answers)
	if status := run.exitStatus(t); status != exitError {
		t.Fatalf("status %d\n%s", status, run.err.String())
	}
	if host := strings.TrimPrefix(h.URL, "http://"); !strings.Contains(run.err.String(), "are posted to "+host+"\n") {
		t.Errorf("no note on the webhook:\n%s", run.err.String())
	}
	s := statusOfSweep(t, dir, "diverges")
	good, bad := s.Runs[1], s.Runs[0]
	failures := []webhook.Failure{{Cell: bad.Cell, Label: "lr=1e+37", Error: strings.Join(strings.Fields(bad.Error), " ")}}
	got := h.wants(t, webhook.RunsFailed, webhook.SweepEnded)
	if m := got[0]; m.ID != s.ID || m.Name != "diverges" || m.State != "training" || m.Cells != 2 || m.Done != 0 ||
		m.Failed != 1 || m.Best != nil || !slices.Equal(m.Failures, failures) || m.Time.IsZero() {
		t.Errorf("of the failure: %+v", m.Sweep)
	}
	if m := got[1]; m.ID != s.ID || m.Name != "diverges" || m.State != "failed" || m.Cells != 2 || m.Done != 1 ||
		m.Failed != 1 || !slices.Equal(m.Failures, failures) || m.Best == nil || m.Best.Cell != good.Cell ||
		m.Best.Label != "lr=0.001" || m.Best.NMSE != *good.Metrics.NMSE {
		t.Errorf("of the end: %+v", m.Sweep)
	}

	// Through a proxy, by the variable; and a sweep in which nothing fails.
	proxy := startHook(t)
	v := variables{webhookVariable + "=http://hooks.example/" + p["webhook"],
		"HTTP_PROXY=http://u:" + p["proxy"] + "@" + strings.TrimPrefix(proxy.URL, "http://")}
	good2 := v.start(t, dir, "run", writeGrid(t, gridWith()), "--no-ui")
	if status := good2.exitStatus(t); status != exitOK {
		t.Fatalf("status %d\n%s", status, good2.err.String())
	}
	if m := proxy.wants(t, webhook.SweepEnded)[0]; m.State != "completed" || m.Done != m.Cells || m.Failures != nil {
		t.Errorf("through a proxy: %+v", m.Sweep)
	}
	if _, to := proxy.messages(); to[0] != "http://hooks.example/"+p["webhook"] {
		t.Errorf("the proxy was asked for %q", to)
	}
	p.said(t, run, good2)
	p.files(t, []string{dir}, []string{s.ID}, nil)
}

// An endpoint that fails, or is not there, changes nothing but the log. What cannot be a webhook ends a verb, and is
// not shown.
func TestWebhookFails(t *testing.T) {
	t.Parallel()
	p := secretsOf("webhook")
	g := writeGrid(t, divergingGrid)
	h := startHook(t)
	h.answer = func(w http.ResponseWriter, m webhook.Message) {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "no such hook: "+p["webhook"])
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, url := range []string{h.URL, gone.URL} {
		dir := t.TempDir()
		run := startProgram(t, dir, "run", g, "--no-ui", "--webhook", url+"/"+p["webhook"])
		if status := run.exitStatus(t); status != exitError || strings.Count(run.out.String(), "completed") != 1 {
			t.Errorf("%s: status %d\n%s%s", url, status, run.out.String(), run.err.String())
		}
		p.said(t, run)
		p.files(t, []string{dir}, []string{"message is given up"}, nil)
	}
	h.wants(t, webhook.RunsFailed, webhook.SweepEnded)
	for _, bad := range []string{"hooks.example/" + p["webhook"], "ftp://" + p["webhook"], "https://%zz/" + p["webhook"]} {
		for _, verb := range [][]string{
			{"run", g, "--webhook", bad}, {"up", webhookVariable + "=" + bad}, {"worker", "--webhook", bad},
		} {
			dir := t.TempDir()
			s := startProgram(t, dir, verb...)
			if status := s.exitStatus(t); status != exitBadInput || !strings.Contains(s.err.String(), "want a URL") {
				t.Errorf("%v: status %d\n%s", verb, status, s.err.String())
			}
			p.said(t, s)
		}
	}
}

// A sweep that is canceled has ended too. And a run that joins the server of another process says that this one posts.
func TestWebhookOfUp(t *testing.T) {
	t.Parallel()
	h := startHook(t)
	dir := t.TempDir()
	long := changed(t, smallGrid, "steps: 1500", "steps: 1000000", "name: small", "name: long")
	up, info := startServer(t, dir, "--webhook", h.URL+"/x", "--slots", "1")
	mustRun(t, dir, "submit", writeGrid(t, long))
	run := startProgram(t, dir, "run", writeGrid(t, long), "--webhook", "http://elsewhere.example")
	waitFor(t, "a run in training", func() bool { return training(statusOfSweep(t, dir, "long")) > 0 })
	mustRun(t, dir, "cancel", "long")
	run.exitStatus(t)
	if !strings.Contains(run.err.String(), "note: nothing is posted to elsewhere.example from here") {
		t.Errorf("run says:\n%s", run.err.String())
	}
	if m := h.wants(t, webhook.SweepEnded)[0]; m.State != "canceled" || m.Canceled != m.Cells || m.Done != 0 {
		t.Errorf("canceled: %+v", m.Sweep)
	}

	// A worker whose devices have failed says so before it ends.
	device, _, err := (&deviceOptions{backend: "cpu", slots: 1}).open()
	if err != nil {
		t.Fatal(err)
	}
	store, err := openStore(t.Context(), filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	unfit := startHook(t)
	lost := make(chan error, 1)
	lost <- errors.New("every GPU is broken")
	device.lost = lost
	if device.webhook, err = webhook.Parse(unfit.URL); err != nil {
		t.Fatal(err)
	}
	w, err := startWorkers(dialServer(t, info), store, device, workerPatience, onLoopback, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	<-w.activities.Unfit()
	w.stop()
	if m := unfit.wants(t, webhook.WorkerUnfit)[0]; !strings.Contains(m.Reason, "every GPU is broken") ||
		m.Worker != w.activities.Worker || m.Sweep != nil {
		t.Errorf("unfit: %+v", m)
	}
	up.terminate(t)
}

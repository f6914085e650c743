package monitor

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestAddress(t *testing.T) {
	for text, want := range map[string]string{
		":9464": "127.0.0.1:9464", "9464": "127.0.0.1:9464", "0": "127.0.0.1:0", "0.0.0.0:1": "0.0.0.0:1",
		"[::]:9464": "[::]:9464", "gpu-7:9464": "gpu-7:9464", ":0080": "127.0.0.1:80",
	} {
		if got, err := Address(text); got != want || err != nil {
			t.Errorf("%q: %q %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", ":", "localhost", "localhost:", "a:b", ":65536", ":-1", "::1:80:", "http://x:80", ":9464/",
	} {
		if got, err := Address(text); err == nil {
			t.Errorf("%q: %q, want an error", text, got)
		}
	}
}

// get returns status and body of a page.
func get(t *testing.T, m *Monitor, method, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, strings.TrimSuffix(m.URL(), "/metrics")+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

// A monitor answers before there is anything to watch, and then what it is told.
func TestMonitor(t *testing.T) {
	m, err := Start(t.Context(), "127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if code, body := get(t, m, "GET", "/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("%d %q", code, body)
	}
	if code, body := get(t, m, "GET", "/readyz"); code != 503 || body != "it is starting\n" {
		t.Errorf("%d %q", code, body)
	}
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "of_test_total", Help: "h"})
	c.Add(3)
	sick, hangs := errors.New("sick"), func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	m.Watch(func(context.Context) error { return sick }, hangs, c)
	if code, body := get(t, m, "GET", "/healthz"); code != 503 || body != "sick\n" {
		t.Errorf("%d %q", code, body)
	}
	if code, body := get(t, m, "GET", "/readyz"); code != 503 || !strings.Contains(body, "deadline") {
		t.Errorf("%d %q", code, body)
	}
	m.SDK().WithTags(map[string]string{"operation": "test"}).Timer("temporal_request_latency").Record(time.Second)
	code, body := get(t, m, "GET", "/metrics")
	for _, want := range []string{
		"of_test_total 3\n", "go_goroutines ", "process_start_time_seconds ",
		`temporal_request_latency_seconds_bucket{operation="test",le="1"}`,
	} {
		if code != 200 || !strings.Contains(body, want) {
			t.Errorf("%d: %q is not in\n%s", code, want, body)
		}
	}
	for _, path := range []string{"/", "/nothing", "/debug/pprof/", "/metrics/x"} {
		if code, _ := get(t, m, "GET", path); code != map[bool]int{true: 200, false: 404}[path == "/"] {
			t.Errorf("%s: %d", path, code)
		}
	}
	for host, want := range map[string]int{
		"localhost:9464": 200, "127.0.0.1": 200, "[::1]:1": 200, "evil.example:9464": 421, "localhost.evil.example": 421,
	} {
		req := httptest.NewRequest("GET", "/healthz", nil)
		req.Host = host
		w := httptest.NewRecorder()
		m.server.Handler.ServeHTTP(w, req)
		if got := w.Code; got != want && !(want == 200 && got == 503) {
			t.Errorf("as %s: %d, want %d", host, got, want)
		}
	}
	if code, _ := get(t, m, "POST", "/metrics"); code != 405 {
		t.Errorf("POST: %d", code)
	}
	if _, err := Start(t.Context(), m.at.String(), nil); err == nil {
		t.Error("two monitors at one address")
	}
}

// Without an address there is no monitor, and nobody need know.
func TestNoMonitor(t *testing.T) {
	var m *Monitor
	m.Watch(nil, nil)
	if m.SDK() != nil || m.URL() != "" {
		t.Error("not nothing")
	}
	m.Close()
}

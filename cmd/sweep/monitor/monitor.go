// Package monitor serves what Prometheus and an orchestrator of containers ask of a process that trains: /metrics,
// /healthz and /readyz, over HTTP and without a password.
package monitor

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.temporal.io/sdk/client"
)

// answerWithin is how long a check of readiness may take. Kubernetes waits one second if it is not told otherwise.
const answerWithin = 900 * time.Millisecond

// A Check says what is wrong; nil if nothing is. It is called from many goroutines.
type Check func(context.Context) error

// A Monitor is that of one process. All methods may be called on nil, which is none.
type Monitor struct {
	registry *prometheus.Registry
	sdk      client.MetricsHandler
	flush    io.Closer // of sdk
	server   *http.Server
	at       net.Addr
	done     chan struct{} // closed when nothing is served any more

	mu             sync.Mutex
	healthy, ready Check
}

// Start serves at an address as Address returns it, until Close. The process is not ready before Watch.
func Start(ctx context.Context, address string, log *slog.Logger) (*Monitor, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	m := &Monitor{
		registry: prometheus.NewRegistry(), at: l.Addr(), done: make(chan struct{}),
		healthy: func(context.Context) error { return nil },
		ready:   func(context.Context) error { return fmt.Errorf("it is starting") },
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.sdk, m.flush = newSDKMetrics(m.registry, log)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
		Timeout: 10 * time.Second, MaxRequestsInFlight: 8,
	}))
	mux.Handle("GET /healthz", m.answer(func() Check { return m.healthy }))
	mux.Handle("GET /readyz", m.answer(func() Check { return m.ready }))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "/metrics  for Prometheus\n/healthz  whether the process can go on\n/readyz   whether it takes work\n")
	})
	m.server = &http.Server{
		Handler: m.onlyByAddress(mux), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
		WriteTimeout: 15 * time.Second,
		IdleTimeout:  2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	go func() {
		defer close(m.done)
		_ = m.server.Serve(l) // returns when the server is closed
	}()
	return m, nil
}

// URL is that of the metrics, or "" without a monitor.
func (m *Monitor) URL() string {
	if m == nil {
		return ""
	}
	return "http://" + m.at.String() + "/metrics"
}

// SDK is what the process's Temporal client counts with; nil without a monitor.
func (m *Monitor) SDK() client.MetricsHandler {
	if m == nil {
		return nil
	}
	return m.sdk
}

// Watch adds metrics, and says how it is known whether the process can go on (healthy) and whether it takes work.
func (m *Monitor) Watch(healthy, ready Check, metrics ...prometheus.Collector) {
	if m == nil {
		return
	}
	for _, c := range metrics {
		m.registry.MustRegister(c)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.healthy, m.ready = healthy, ready
}

// Close ends what is served.
func (m *Monitor) Close() {
	if m == nil {
		return
	}
	_ = m.server.Close()
	<-m.done
	_ = m.flush.Close()
}

// onlyByAddress refuses requests to a loopback address under a foreign name: a web page that has such a name lead here
// would read what is served.
func (m *Monitor) onlyByAddress(next http.Handler) http.Handler {
	at, isTCP := m.at.(*net.TCPAddr)
	if !isTCP || !at.IP.IsLoopback() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if host = strings.Trim(host, "[]"); host != "localhost" && net.ParseIP(host) == nil {
			http.Error(w, "this address answers as localhost or by its IP address alone", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// answer serves the outcome of a check: 200 and ok, or 503 and what is wrong.
func (m *Monitor) answer(check func() Check) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		c := check()
		m.mu.Unlock()
		ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
		defer cancel()
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if err := c(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
}

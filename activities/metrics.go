package activities

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topksweep/sweep/storage"
)

// metrics count what the attempts of a worker come to.
type metrics struct {
	steps, tokens   prometheus.Counter
	attempts        prometheus.Counter
	faults          *prometheus.CounterVec // fault, type
	saves           prometheus.Histogram
	savedBytes      prometheus.Counter
	requests        *prometheus.CounterVec   // operation, outcome
	requestDuration *prometheus.HistogramVec // operation
	hung            *prometheus.Desc
	runs            []runGauge
}

func newMetrics() *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	// A small object in a folder takes a millisecond, a checkpoint of gigabytes in a bucket far away minutes.
	requestBounds := prometheus.ExponentialBuckets(0.001, 4, 9) // to 65 s
	saveBounds := prometheus.ExponentialBuckets(0.01, 4, 9)     // to 655 s
	m := &metrics{
		steps:    counter("sweep_steps_total", "Steps trained, also those that a later attempt trains again."),
		tokens:   counter("sweep_tokens_total", "Rows of activations trained on: steps times batch size."),
		attempts: counter("sweep_attempts_total", "Attempts of activities that began."),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sweep_faults_total",
			Help: "Errors that ended attempts, by whose fault they are (cell, worker, nobody, unknown) and by type.",
		}, []string{"fault", "type"}),
		saves: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sweep_checkpoint_save_duration_seconds", Help: "Time to store a checkpoint.", Buckets: saveBounds,
		}),
		savedBytes: counter("sweep_checkpoint_saved_bytes_total", "Bytes of the checkpoints stored."),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sweep_store_requests_total",
			Help: "Requests of activities to the store, by operation and outcome (ok, error, canceled). What " +
				"is not found, or is there already, is an answer and no error.",
		}, []string{"operation", "outcome"}),
		requestDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "sweep_store_request_duration_seconds",
			Help:    "Time of a request to the store, with all of its tries; of a get, until the object is opened.",
			Buckets: requestBounds,
		}, []string{"operation"}),
		hung: prometheus.NewDesc("sweep_attempts_hung",
			"Attempts that hang and were given up: each keeps a slot that nobody else gets.", nil, nil),
		runs: runGauges(),
	}
	// From the beginning at 0: else the first error would not be seen as a rise.
	for _, k := range append(errorKinds(), unexplained) {
		m.faults.WithLabelValues(k.of.String(), k.name)
	}
	for _, op := range []string{"get", "list", "put", "putnew", "delete"} {
		m.requests.WithLabelValues(op, "ok")
		m.requests.WithLabelValues(op, "error")
		m.requestDuration.WithLabelValues(op)
	}
	return m
}

// stepped counts steps on batches of so many tokens.
func (m *metrics) stepped(steps int64, batch int) {
	m.steps.Add(float64(steps))
	m.tokens.Add(float64(steps * int64(batch)))
}

// failed counts the error of an attempt.
func (m *metrics) failed(k errorKind) { m.faults.WithLabelValues(k.of.String(), k.name).Inc() }

// saved counts a checkpoint.
func (m *metrics) saved(took time.Duration, bytes int64) {
	m.saves.Observe(took.Seconds())
	m.savedBytes.Add(float64(bytes))
}

// asked counts a request to the store that began at some time.
func (m *metrics) asked(operation string, began time.Time, err error) {
	outcome := "ok"
	switch {
	case err == nil, errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrExists):
	case errors.Is(err, context.Canceled):
		outcome = "canceled"
	default:
		outcome = "error"
	}
	m.requests.WithLabelValues(operation, outcome).Inc()
	m.requestDuration.WithLabelValues(operation).Observe(time.Since(began).Seconds())
}

// collectors are all of them.
func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		m.steps, m.tokens, m.attempts, m.faults, m.saves, m.savedBytes, m.requests, m.requestDuration,
	}
}

// A runGauge tells of a run in training, when the metrics are collected.
type runGauge struct {
	desc *prometheus.Desc
	of   func(l Live, now time.Time) (value float64, known bool)
}

// runGauges are labelled with sweep and cell: of a stage that several cells share it is the first one.
func runGauges() []runGauge {
	of := func(name, help string, of func(Live, time.Time) (float64, bool)) runGauge {
		return runGauge{prometheus.NewDesc(name, help, []string{"sweep", "cell"}, nil), of}
	}
	always := func(value func(Live) float64) func(Live, time.Time) (float64, bool) {
		return func(l Live, _ time.Time) (float64, bool) { return value(l), true }
	}
	training := func(value func(Live) float64) func(Live, time.Time) (float64, bool) {
		return func(l Live, _ time.Time) (float64, bool) { return value(l), l.Step > l.From }
	}
	return []runGauge{
		of("sweep_run_step", "Steps that the run has done.", always(func(l Live) float64 { return float64(l.Step) })),
		of("sweep_run_steps", "Steps at the end of the run's stage.",
			always(func(l Live) float64 { return float64(l.Steps) })),
		of("sweep_run_attempt", "Number of the attempt, from 1 on.",
			always(func(l Live) float64 { return float64(l.Attempt) })),
		of("sweep_run_loss", "Loss of the run's last step.", training(func(l Live) float64 { return l.Loss })),
		of("sweep_run_dead_latents", "Dead latents after the run's last step.",
			training(func(l Live) float64 { return float64(l.Dead) })),
		of("sweep_run_tokens_per_second", "Speed of the run; 0 in its first second.",
			training(func(l Live) float64 { return l.TokensPerSecond })),
		of("sweep_run_checkpoint_age_seconds", "Time since the run's newest checkpoint was stored, or since the attempt "+
			"began to train, if that is later: what is lost if the worker dies now.", checkpointAge),
	}
}

// checkpointAge is for how long a run has trained without a checkpoint. A fork may be much older than that.
func checkpointAge(l Live, now time.Time) (seconds float64, known bool) {
	since := l.Began
	if l.Saved.After(since) {
		since = l.Saved
	}
	return now.Sub(since).Seconds(), !l.Began.IsZero()
}

// Metrics returns what Prometheus is to know of the worker: its counts, and its runs in training.
func (a *Activities) Metrics() prometheus.Collector { return collector{a} }

type collector struct{ a *Activities }

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range c.a.metrics.collectors() {
		m.Describe(ch)
	}
	for _, g := range c.a.metrics.runs {
		ch <- g.desc
	}
	ch <- c.a.metrics.hung
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	for _, m := range c.a.metrics.collectors() {
		m.Collect(ch)
	}
	type run struct{ sweep, cell string }
	told := map[run]bool{}
	for _, l := range c.a.Live() {
		// An attempt that hangs may have a successor here, which Live has first.
		of := run{l.Sweep, l.Cell}
		if l.Cell == "" || told[of] {
			continue
		}
		told[of] = true
		for _, g := range c.a.metrics.runs {
			if value, known := g.of(l, c.a.now()); known {
				ch <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, value, l.Sweep, l.Cell)
			}
		}
	}
	c.a.mu.Lock()
	lost := c.a.lost
	c.a.mu.Unlock()
	ch <- prometheus.MustNewConstMetric(c.a.metrics.hung, prometheus.GaugeValue, float64(lost))
}

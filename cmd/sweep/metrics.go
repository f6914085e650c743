package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/cmd/sweep/monitor"
	"github.com/topksweep/sweep/storage"
)

// metricsOptions say where a process that trains serves its metrics. They are the value of a flag too.
type metricsOptions struct {
	address string // host:port; "" for nowhere
}

func (o *metricsOptions) addFlags(f *pflag.FlagSet) {
	f.Var(o, "metrics-addr", "serve /metrics for Prometheus, /healthz and /readyz at `host:port`; "+
		":9464 is on 127.0.0.1, 0.0.0.0:9464 is for every machine that reaches this one (default: not at all)")
}

// Set implements pflag.Value.
func (o *metricsOptions) Set(text string) (err error) {
	if o.address = ""; text != "" {
		o.address, err = monitor.Address(text)
	}
	return err
}

// Type implements pflag.Value.
func (o *metricsOptions) Type() string { return "string" }

// String implements pflag.Value.
func (o *metricsOptions) String() string { return o.address }

// start serves what was asked for; nil if nothing was.
func (o *metricsOptions) start(ctx context.Context, log *slog.Logger) (*monitor.Monitor, error) {
	if o.address == "" {
		return nil, nil
	}
	m, err := monitor.Start(ctx, o.address, log)
	if err != nil {
		return nil, fmt.Errorf("--metrics-addr: %w", err)
	}
	return m, nil
}

// watch shows a monitor the workers of this process.
func (w *workers) watch(m *monitor.Monitor, store storage.Store, device trainingDevice) {
	metrics := []prometheus.Collector{w.activities.Metrics()}
	if device.backend != nil {
		metrics = append(metrics, newWorkerMetrics(w, store, device))
	}
	if device.usage != nil {
		metrics = append(metrics, newGPUMetrics(device.usage))
	}
	m.Watch(w.healthy, w.ready, metrics...)
}

// lostHeartbeats is the name of the counter of heartbeats that got no answer. What the SDK counts gets _total.
const lostHeartbeats = "sweep_heartbeats_lost"

// errNotTraining says that a process takes no work at the moment.
var errNotTraining = errors.New("it takes no work: it has not begun to, or is stopping")

// healthy says why only a new process would help. A worker that is unfit is none: it saves what it trains, and ends by
// itself, and sweep up serves on without training.
func (w *workers) healthy(context.Context) error { return w.hung.noneLeft() }

// ready says why the process takes no work.
func (w *workers) ready(ctx context.Context) error {
	if err := w.accepts(); err != nil {
		return err
	}
	if _, err := w.client.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return fmt.Errorf("the Temporal server does not answer: %w", err)
	}
	return nil
}

// accepts says why the process takes no stages, as far as it knows itself; nil if it is to take none.
func (w *workers) accepts() error {
	if w.training == nil {
		return nil
	}
	w.mu.Lock()
	trains := w.trains && !w.ending
	w.mu.Unlock()
	if err := errors.Join(w.activities.WhyUnfit(), w.hung.noneLeft()); err != nil {
		return err
	}
	if !trains {
		return errNotTraining
	}
	return nil
}

// workerMetrics are those of the slots of a process, and what the process is.
type workerMetrics struct {
	workers *workers
	store   storage.Store
	build   prometheus.Metric

	slots, busy, accepting, retries *prometheus.Desc
}

func newWorkerMetrics(w *workers, store storage.Store, device trainingDevice) *workerMetrics {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &workerMetrics{
		workers: w, store: store,
		build: prometheus.MustNewConstMetric(prometheus.NewDesc("sweep_build_info", "What the worker is: always 1.",
			[]string{"version", "backend", "worker"}, nil), prometheus.GaugeValue, 1,
			w.activities.Build, device.backend.Name(), w.activities.Worker),
		slots:     desc("sweep_worker_slots", "Stages that the worker trains at a time, without slots that are set aside."),
		busy:      desc("sweep_worker_slots_busy", "Slots in which a stage trains or is evaluated."),
		accepting: desc("sweep_worker_accepting", "1 if the worker takes stages; 0 before it begins and when it ends."),
		retries:   desc("sweep_store_retries_total", "Requests to the store that were repeated."),
	}
}

// Describe implements prometheus.Collector.
func (m *workerMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.build.Desc(), m.slots, m.busy, m.accepting, m.retries} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *workerMetrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value int) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value))
	}
	ch <- m.build
	left, busy := m.workers.hung.slots.count()
	gauge(m.slots, left)
	gauge(m.busy, busy)
	accepting := 0
	if m.workers.accepts() == nil {
		accepting = 1
	}
	gauge(m.accepting, accepting)
	var retries int64 // a folder has none
	if r, ok := m.store.(storage.Retrier); ok {
		retries = r.Retries()
	}
	ch <- prometheus.MustNewConstMetric(m.retries, prometheus.CounterValue, float64(retries))
}

// A gpuUsage is what is known of a GPU at a moment: what is not is negative.
type gpuUsage struct {
	number, uuid string
	used, total  int64   // bytes of memory, of all processes
	busy         float64 // share of the last moment in which a kernel ran, 0 to 1
	celsius      float64
	watts        float64
}

// gpuMetrics read the GPUs when they are collected. A driver that hangs costs the other metrics nothing but a wait.
type gpuMetrics struct {
	read    func() []gpuUsage
	reading chan struct{} // has room for whoever may read: one that hangs keeps it
	within  time.Duration // that a collection waits
	values  []gpuValue
}

type gpuValue struct {
	desc *prometheus.Desc
	of   func(gpuUsage) float64
}

func newGPUMetrics(read func() []gpuUsage) *gpuMetrics {
	value := func(name, help string, of func(gpuUsage) float64) gpuValue {
		return gpuValue{prometheus.NewDesc(name, help, []string{"gpu", "uuid"}, nil), of}
	}
	return &gpuMetrics{read: read, reading: make(chan struct{}, 1), within: 2 * time.Second, values: []gpuValue{
		value("sweep_gpu_memory_used_bytes", "Memory in use on the GPU, by all processes.",
			func(u gpuUsage) float64 { return float64(u.used) }),
		value("sweep_gpu_memory_total_bytes", "Memory of the GPU.", func(u gpuUsage) float64 { return float64(u.total) }),
		value("sweep_gpu_utilization_ratio", "Share of the last sample, of a sixth of a second to a second, in which a "+
			"kernel ran.", func(u gpuUsage) float64 { return u.busy }),
		value("sweep_gpu_temperature_celsius", "Temperature of the GPU.", func(u gpuUsage) float64 { return u.celsius }),
		value("sweep_gpu_power_watts", "Power that the GPU draws.", func(u gpuUsage) float64 { return u.watts }),
	}}
}

// Describe implements prometheus.Collector.
func (m *gpuMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, v := range m.values {
		ch <- v.desc
	}
}

// usage reads the GPUs; nil if that takes too long.
func (m *gpuMetrics) usage() []gpuUsage {
	late := time.NewTimer(m.within)
	defer late.Stop()
	select {
	case m.reading <- struct{}{}:
	case <-late.C:
		return nil
	}
	read := make(chan []gpuUsage, 1)
	go func() {
		read <- m.read()
		<-m.reading
	}()
	select {
	case all := <-read:
		return all
	case <-late.C:
		return nil
	}
}

// Collect implements prometheus.Collector. What the driver does not say of a GPU is left out.
func (m *gpuMetrics) Collect(ch chan<- prometheus.Metric) {
	for _, u := range m.usage() {
		for _, v := range m.values {
			if value := v.of(u); value >= 0 {
				ch <- prometheus.MustNewConstMetric(v.desc, prometheus.GaugeValue, value, u.number, u.uuid)
			}
		}
	}
}

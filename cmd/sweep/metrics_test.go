package main

import (
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.temporal.io/sdk/worker"

	"github.com/topksweep/sweep/activities"
	"github.com/topksweep/sweep/trainer/cpu"
)

// metricsOf waits until a program says where its metrics are, and returns http://host:port.
func metricsOf(t *testing.T, p *program) string {
	t.Helper()
	line := regexp.MustCompile(`metrics at (http://127\.0\.0\.1:\d+)/metrics\n`)
	var at string
	waitFor(t, "the address of the metrics", func() bool {
		if len(p.done) > 0 {
			t.Fatalf("%v has ended:\n%s", p.Args[1:], p.err.String())
		}
		m := line.FindStringSubmatch(p.err.String())
		if m != nil {
			at = m[1]
		}
		return m != nil
	})
	return at
}

// scrape returns the status and the body of a page.
func scrape(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

// Every process that trains serves what it does: run, up, and a worker beside it.
func TestMetricsOfPrograms(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	grid := writeGrid(t, gridWith("name: long", "train: {dict_size: 32, steps: 5000000, batch_size: 64}"))
	up, _ := startServer(t, dir, "--slots", "1", "--metrics-addr", "127.0.0.1:0")
	worker := startProgram(t, dir, "worker", "--slots", "1", "--metrics-addr", ":0")
	mustRun(t, dir, "submit", grid)
	for _, p := range []*program{up, worker} {
		at := metricsOf(t, p)
		trains := regexp.MustCompile(`(?m)^sweep_run_loss\{cell="[0-9a-f]+",sweep="[a-z]+-[0-9a-f]+"\} [0-9.e+-]+$`)
		waitFor(t, "a run in training", func() bool {
			_, body := scrape(t, at+"/metrics")
			return trains.MatchString(body)
		})
		_, body := scrape(t, at+"/metrics")
		for _, want := range []string{
			"sweep_worker_slots 1\n", "sweep_worker_slots_busy 1\n", "sweep_worker_accepting 1\n", "sweep_attempts_hung 0\n",
			`sweep_faults_total{fault="cell",type="NotFinite"} 0`, "sweep_store_retries_total 0\n",
			`sweep_store_requests_total{operation="putnew",outcome="ok"} `, `sweep_build_info{backend="cpu",`,
			"temporal_request_total{", "sweep_heartbeats_lost_total 0\n", `temporal_worker_task_slots_available{`,
		} {
			if !strings.Contains(body, "\n"+want) {
				t.Errorf("%v: %q is not in\n%s", p.Args[1:], want, body)
			}
		}
		for _, page := range []string{"/healthz", "/readyz"} {
			if code, body := scrape(t, at+page); code != http.StatusOK || body != "ok\n" {
				t.Errorf("%s: %d %s", page, code, body)
			}
		}
	}
	at := metricsOf(t, worker)
	up.terminate(t)
	waitFor(t, "a worker that is not ready without its server", func() bool {
		code, body := scrape(t, at+"/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "Temporal server does not answer")
	})
	if code, body := scrape(t, at+"/healthz"); code != http.StatusOK {
		t.Errorf("a worker that waits for its server: %d %s", code, body)
	}
	worker.Process.Kill()
}

// An address that is none, or that another process has, is said before anything is trained.
func TestMetricsAddress(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, verb := range [][]string{{"up"}, {"worker"}, {"run", "none.yaml"}} {
		p := startProgram(t, dir, append(verb, "--metrics-addr", "localhost")...)
		if status := p.exitStatus(t); status != exitBadInput || !strings.Contains(p.err.String(), "--metrics-addr") {
			t.Errorf("%v: status %d\n%s", verb, status, p.err.String())
		}
	}
	up, _ := startServer(t, dir, "--slots", "1", "--metrics-addr", ":0")
	at := strings.TrimPrefix(metricsOf(t, up), "http://")
	p := startProgram(t, t.TempDir(), "up", "--no-ui", "--metrics-addr", at)
	if status := p.exitStatus(t); status != 1 || !strings.Contains(p.err.String(), "address already in use") {
		t.Errorf("status %d\n%s", status, p.err.String())
	}
	up.terminate(t)
}

// The docs name every metric of the program's own, and no other.
func TestMetricsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, name := range regexp.MustCompile("`(sweep_[a-z_]+)`").FindAllStringSubmatch(string(page), -1) {
		documented[name[1]] = name[1] != "sweep_cpu" // a queue
	}
	a := activities.New(nil, nil, slog.New(slog.DiscardHandler))
	defer a.Close()
	all := make(chan *prometheus.Desc, 100)
	a.Metrics().Describe(all)
	w := &workers{activities: a}
	newWorkerMetrics(w, nil, trainingDevice{backend: cpu.New(1)}).Describe(all)
	newGPUMetrics(nil).Describe(all)
	close(all)
	is := map[string]bool{"sweep_cpu": false, lostHeartbeats + "_total": true} // which comes with those of the SDK
	for d := range all {
		is[regexp.MustCompile(`fqName: "([a-z_]+)"`).FindStringSubmatch(d.String())[1]] = true
	}
	if !maps.Equal(documented, is) {
		t.Errorf("docs/metrics.md has %v, the program %v", documented, is)
	}
}

// A driver that hangs costs a scrape its GPUs, and nothing else; once it answers they are there again.
func TestMetricsOfHungGPU(t *testing.T) {
	hangs, reads := make(chan struct{}), 0
	m := newGPUMetrics(func() []gpuUsage {
		reads++
		<-hangs
		return []gpuUsage{{number: "0", uuid: "GPU-0", used: 1, total: 2, busy: -0.01, celsius: -1, watts: -1}}
	})
	m.within = time.Millisecond
	for range 3 {
		if n := testutil.CollectAndCount(m); n != 0 {
			t.Errorf("%d series of a GPU that hangs", n)
		}
	}
	if reads != 1 {
		t.Errorf("%d goroutines hang", reads)
	}
	close(hangs)
	m.within = testTimeout
	if n := testutil.CollectAndCount(m); n != 2 {
		t.Errorf("%d series, want those of the memory", n)
	}
}

// What is set aside is no busy slot, before the SDK has given the slot back and after.
func TestBusySlots(t *testing.T) {
	s := newSlots(2)
	var permits []*worker.SlotPermit
	for range 2 {
		p, err := s.ReserveSlot(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		permits = append(permits, p)
	}
	wants := func(left, busy int) {
		t.Helper()
		if l, b := s.count(); l != left || b != busy {
			t.Errorf("%d slots, %d busy; want %d and %d", l, b, left, busy)
		}
	}
	wants(2, 0) // polls
	s.MarkSlotUsed(slotInfo{permit: permits[0]})
	s.MarkSlotUsed(slotInfo{permit: permits[1]})
	wants(2, 2)
	s.setAside()
	wants(1, 1)
	s.ReleaseSlot(slotInfo{permit: permits[0]})
	wants(1, 1)
	s.ReleaseSlot(slotInfo{permit: permits[1]})
	wants(1, 0)
}

// A slotInfo tells of a slot as the SDK does.
type slotInfo struct {
	worker.SlotReleaseInfo
	permit *worker.SlotPermit
}

func (i slotInfo) Permit() *worker.SlotPermit { return i.permit }

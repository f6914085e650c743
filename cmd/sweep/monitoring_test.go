package main

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A panel of the dashboard, named after its row and its title.
type panel struct {
	name    string
	queries []string
}

// dashboard returns the panels with their queries, and the queries of the variables, by name.
func dashboard(t *testing.T) (panels []panel, variables map[string]string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(monitoringDir, "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Type, Title string
			Targets     []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Type, Definition string }
		}
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	row := ""
	for _, p := range d.Panels {
		if p.Type == "row" {
			row = p.Title
			continue
		}
		out := panel{name: row + ": " + p.Title}
		for _, q := range p.Targets {
			out.queries = append(out.queries, strings.NewReplacer(
				"$__rate_interval", "2m", "$job", "sweep", "$worker", ".*", "$sweep", ".*").Replace(q.Expr))
		}
		panels = append(panels, out)
	}
	variables = map[string]string{}
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			variables[v.Name] = strings.NewReplacer("$job", "sweep", "$worker", ".*").Replace(v.Definition)
		}
	}
	return panels, variables
}

// waitForData waits until every query of some panels has a number.
func (p *promServer) waitForData(t *testing.T, panels []panel) {
	t.Helper()
	for _, panel := range panels {
		for _, q := range panel.queries {
			waitFor(t, panel.name+", "+q, func() bool { return len(p.query(t, q)) > 0 })
		}
	}
}

// split returns the panels with these names, all of which must be there, and the others.
func split(t *testing.T, panels []panel, names ...string) (with, without []panel) {
	t.Helper()
	for _, p := range panels {
		if slices.Contains(names, p.name) {
			with = append(with, p)
		} else {
			without = append(without, p)
		}
	}
	if len(with) != len(names) {
		t.Fatalf("%d of the panels %q", len(with), names)
	}
	return with, without
}

// gpuPanels are the panels that a build without CUDA shows nothing in.
var gpuPanels = []string{
	"GPUs (builds with CUDA): Utilization", "GPUs (builds with CUDA): Memory", "GPUs (builds with CUDA): Temperature",
	"GPUs (builds with CUDA): Power",
}

// metricNames are the names of metrics that a text with PromQL mentions.
func metricNames(text string) []string {
	name := regexp.MustCompile(`\b(sweep|temporal|go|process)_[a-z0-9_]+\b`)
	return slices.Compact(slices.Sorted(slices.Values(name.FindAllString(text, -1))))
}

// A real Prometheus scrapes a real sweep, in which runs fail and others train. Every query of the dashboard has data,
// every metric that it or a rule names is there, and alerts fire when runs fail, the server goes and the workers go.
func TestMonitoring(t *testing.T) {
	t.Parallel()
	panels, vars := dashboard(t)
	dir := t.TempDir()
	up, _ := startServer(t, dir, "--slots", "1", "--metrics-addr", ":0")
	worker := startProgram(t, dir, "worker", "--slots", "1", "--metrics-addr", ":0")
	at := func(p *program) string { return strings.TrimPrefix(metricsOf(t, p), "http://") }
	atUp, atWorker := at(up), at(worker)
	p := startPrometheus(t, atUp, atWorker)
	for _, at := range []string{atUp, atWorker} { // an increase is seen from the first scrape on
		waitFor(t, "a scrape of "+at, func() bool { return len(p.query(t, `sweep_faults_total{instance="`+at+`"}`)) > 0 })
	}
	mustRun(t, dir, "submit", writeGrid(t, gridWith("name: watched",
		"parameters: {lr: [1e37, 2e37, 3e37, 4e37, 5e37, 6e37, 7e37, 8e37, 0.001, 0.002, 0.003]}",
		"train: {k: 2, dict_size: 32, steps: 50000000, batch_size: 64}", "run: {checkpoint: {every: 1s}}")))

	withGPU, panels := split(t, panels, gpuPanels...)
	failing, panels := split(t, panels, "Temporal, as the workers see it: Requests that fail")
	p.waitForData(t, panels)
	for _, panel := range withGPU {
		for _, q := range panel.queries {
			if !strings.Contains(q, "sweep_gpu_") || len(p.query(t, q)) > 0 {
				t.Errorf("%s is no panel of a GPU: %s", panel.name, q)
			}
		}
	}
	label := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
	for name, definition := range vars {
		m := label.FindStringSubmatch(definition)
		if m == nil || !slices.ContainsFunc(p.query(t, m[1]), func(s promSample) bool { return s.Metric[m[2]] != "" }) {
			t.Errorf("the variable %s has no values: %s", name, definition)
		}
	}
	p.waitFires(t, "SweepRunsFail", "", "runs fail: NotFinite")
	p.waitQuiet(t, "SweepRunsFail",
		"SweepTemporalSlow", "SweepHeartbeatsLost", "SweepNoProgress") // for seconds they fire on a slow machine, too

	up.Process.Kill()
	up.exitStatus(t)
	p.waitFires(t, "SweepWorkerGone", atUp, atUp+" is gone")
	scrape(t, "http://"+atWorker+"/readyz") // asks the server
	p.waitFires(t, "SweepTemporalSilent", atWorker, "does not answer "+atWorker)
	p.waitForData(t, failing)

	// By now every metric has come up, or it does not exist.
	is := p.names(t)
	for _, file := range []string{"dashboard.json", "rules.yml"} {
		b, err := os.ReadFile(filepath.Join(monitoringDir, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range metricNames(string(b)) {
			if !is[name] && !strings.HasPrefix(name, "sweep_gpu_") {
				t.Errorf("%s names %s, which no program has", file, name)
			}
		}
	}
	checkMetrics(t, atWorker)

	worker.Process.Kill()
	worker.exitStatus(t)
	p.waitFires(t, "SweepNoWorkers", "", "no worker takes work")
	p.waitFires(t, "SweepWorkerGone", atWorker, atWorker+" is gone")
}

// checkMetrics has promtool check the metrics of a program: their format, and whether names and units are as usual.
// What it says of the Temporal SDK's is not for this program to change.
func checkMetrics(t *testing.T, at string) {
	t.Helper()
	_, body := scrape(t, "http://"+at+"/metrics")
	check := exec.Command(ofPrometheus(t, "promtool"), "check", "metrics")
	check.Stdin = strings.NewReader(body)
	out, _ := check.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "temporal_") {
			t.Errorf("promtool check metrics: %s", line)
		}
	}
}

// The rules name no metric of a GPU that docs/metrics.md, which TestMetricsDocumented checks, does not have; neither
// does the dashboard.
func TestMonitoredGPUMetrics(t *testing.T) {
	read := func(file string) map[string]bool {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		is := map[string]bool{}
		for _, name := range metricNames(string(b)) {
			if strings.HasPrefix(name, "sweep_gpu_") {
				is[name] = true
			}
		}
		return is
	}
	want := read("../../docs/metrics.md")
	if got := read(filepath.Join(monitoringDir, "dashboard.json")); len(got) < 5 || !maps.Equal(got, want) {
		t.Errorf("the dashboard names %v, the docs %v", got, want)
	}
	for name := range read(filepath.Join(monitoringDir, "rules.yml")) {
		if !want[name] {
			t.Errorf("a rule names %s", name)
		}
	}
}

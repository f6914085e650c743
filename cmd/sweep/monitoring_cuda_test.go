//go:build cuda

package main

import (
	"strings"
	"testing"
)

// The panels of GPUs have data where a build with CUDA trains on one, here emulated.
func TestCUDAMonitoring(t *testing.T) {
	gpu := emulated(t)
	all, _ := dashboard(t)
	panels, _ := split(t, all, gpuPanels...)
	dir := t.TempDir()
	up, _ := startServer(t, dir, gpu, "--metrics-addr", ":0")
	at := strings.TrimPrefix(metricsOf(t, up), "http://")
	p := startPrometheus(t, at)
	p.waitForData(t, panels)
	is := p.names(t)
	for _, panel := range panels {
		for _, q := range panel.queries {
			for _, name := range metricNames(q) {
				if !is[name] {
					t.Errorf("%s: there is no %s", panel.name, name)
				}
			}
		}
	}
	up.terminate(t)
}

package plan

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/grid"
)

// asPlanner in the environment makes the test binary plan 100,000 cells and end.
const asPlanner = "SWEEP_TEST_AS_PLANNER"

// A process that does nothing else plans a grid of 100,000 cells in 250 MB. The
// time that it takes is logged and not checked, because machines differ.
func TestPlanSize(t *testing.T) {
	if os.Getenv(asPlanner) != "" {
		g, err := grid.Parse("grid.yaml", wide(100), grid.ParseOptions{})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		p, err := New(g, goldentest.DataInfo(), testEstimates())
		if err != nil || len(p.Cells) != 100_000 || p.Stages <= 10_000 {
			t.Fatal(err)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if each := m.Mallocs / uint64(len(p.Cells)); each > 50 {
			t.Errorf("%d allocations for each cell, want at most 50", each)
		} else {
			t.Logf("%d allocations for each cell", each)
		}
		fmt.Printf("planned in %v\npeak of %d MB\n", time.Since(began), residentPeak(t)>>10)
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe, "-test.run=^TestPlanSize$", "-test.v")
	c.Env = append(os.Environ(), asPlanner+"=1")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	found := regexp.MustCompile(`peak of (\d+) MB`).FindSubmatch(out)
	if found == nil {
		t.Fatal("the planner did not print its peak")
	}
	megabytes, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	if megabytes > 250 {
		t.Errorf("%d MB, want at most 250", megabytes)
	}
}

// residentPeak is this process's largest resident size so far, in KiB. The figure
// that getrusage gives for a child does not do: it begins at the parent's peak.
func residentPeak(t *testing.T) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		t.Fatalf("no VmHWM in\n%s", status)
	}
	kib, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kib
}

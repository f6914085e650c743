package sweep

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// asPlanner in the environment makes the test binary plan 100,000 cells and end.
const asPlanner = "SWEEP_TEST_AS_PLANNER"

// A grid of 100,000 cells is planned in 500 MB, by a process that does nothing
// else. How long it takes is logged: machines differ.
func TestPlanSize(t *testing.T) {
	if os.Getenv(asPlanner) != "" {
		g, err := Parse("grid.yaml", wide(100), ParseOptions{})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		p, err := NewPlan(g, testInfo(), testEstimates())
		if err != nil || len(p.Cells) != 100_000 || p.Stages <= 10_000 {
			t.Fatal(err)
		}
		t.Logf("%v", time.Since(began))
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
	megabytes := c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
	t.Logf("%d MB\n%s", megabytes, out)
	if megabytes > 500 {
		t.Errorf("%d MB, want at most 500", megabytes)
	}
}

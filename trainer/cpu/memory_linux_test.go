package cpu_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/backendtest"
	"github.com/topksweep/sweep/trainer/cpu"
)

// peakOfChild is an environment variable: with it, TestPeakMemory is the process that is
// measured.
const peakOfChild = "SWEEP_TEST_PEAK_MEMORY"

// A model in training takes the memory of four copies of the parameters, of one batch's
// rows, and at most 64 MiB more, with dead latents and AuxK. The pre-activations of a
// batch alone, [B,F], would take twice as much as those 64 MiB. A process of its own
// trains, so that its peak does not include the memory of other tests.
func TestPeakMemory(t *testing.T) {
	c := trainer.Config{
		Recipe: "corrected", ActivationDim: 512, DictSize: 16384, K: 64, BatchSize: 2048, Steps: 100, DecayStart: 50,
		AuxKAlpha: 1.0 / 32, DeadFeatureThreshold: 3 * 2048, Precision: "f32",
	}.Resolve()
	if os.Getenv(peakOfChild) != "" {
		peak(t, c)
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(exe, "-test.run=^TestPeakMemory$", "-test.v")
	child.Env = append(os.Environ(), peakOfChild+"=1", backendtest.GoldensVariable+"=")
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	found := regexp.MustCompile(`took (\d+) bytes, (\d+) dead`).FindSubmatch(out)
	if found == nil {
		t.Fatalf("no figure in\n%s", out)
	}
	took, _ := strconv.ParseInt(string(found[1]), 10, 64)
	if dead := string(found[2]); dead == "0" {
		t.Error("no latent died: AuxK took no memory")
	}
	bound := 4*4*c.Params() + 4*int64(c.BatchSize)*int64(c.ActivationDim) + 64<<20
	estimate, _ := cpu.New(2).Bytes(c)
	t.Logf("took %d MiB; bound %d MiB; Bytes returns %d MiB", took>>20, bound>>20, estimate>>20)
	if took > bound {
		t.Errorf("training took %d bytes, over the bound of %d", took, bound)
	}
	if took > estimate+64<<20 || took < estimate*3/4 {
		t.Errorf("training took %d bytes, Bytes returns %d", took, estimate)
	}
}

// peak trains, and prints by how much that raises the process's peak of resident memory.
// The state that training starts from is in memory before.
func peak(t *testing.T, c trainer.Config) {
	s := trainer.Init(c)
	x := make([]float32, c.BatchSize*c.ActivationDim)
	for i := range x {
		x[i] = float32(trainer.Uniform(3, 1, uint64(i)) - 0.5)
	}
	for f := range s.SinceFired {
		s.SinceFired[f] = c.DeadFeatureThreshold
	}
	for i := range s.M.WEnc { // write to all pages, so that they are resident before
		s.M.WEnc[i], s.M.WDec[i], s.V.WEnc[i], s.V.WDec[i] = 0, 0, 1e-9, 1e-9
	}
	before := residentPeak(t)
	m, err := cpu.New(2).New(c, s, backendtest.Repeat(c, x))
	if err != nil {
		t.Fatal(err)
	}
	dead := 0
	for _, stats := range backendtest.Train(t, m, 4) {
		dead = max(dead, stats.Dead)
	}
	fmt.Printf("took %d bytes, %d dead\n", residentPeak(t)-before, dead)
}

// residentPeak returns the process's peak of resident memory in bytes.
func residentPeak(t *testing.T) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		t.Fatalf("no VmHWM in\n%s", status)
	}
	kb, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

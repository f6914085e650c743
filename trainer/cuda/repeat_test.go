//go:build cuda

package cuda_test

import (
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/backendtest"
	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// reverse makes the emulation run blocks and threads in the opposite order.
const reverse = "SWEEP_EMULATE_REVERSE"

// TestOrder trains, and runs itself in another process with blocks and threads in the opposite
// order. What depends on the order, such as an atomic sum of floats or a race, gives other
// bits.
func TestOrder(t *testing.T) {
	b := open(t)
	var ran strings.Builder
	for _, recipe := range trainer.Recipes() {
		c := config(recipe.Name)
		m := newModel(t, b, c, trainer.Init(c), backendtest.Data(c))
		stats := backendtest.Train(t, m, 9)
		s, h := saved(t, m, c), fnv.New64a()
		for _, p := range []trainer.Params{s.W, s.M, s.V} {
			p.Each(c.ActivationDim, c.DictSize, func(_ string, _ []int, v []float32) { h.Write(driver.Bytes(v)) })
		}
		fmt.Fprintf(&ran, "bits of %s: %x, %+v\n", recipe.Name, h.Sum64(), stats[8])
	}
	if os.Getenv(reverse) != "" {
		fmt.Print(ran.String())
		return
	}
	self := exec.Command(os.Args[0], "-test.run=^TestOrder$", "-test.v")
	self.Env = append(os.Environ(), reverse+"=1", backendtest.GoldensVariable+"=")
	out, err := self.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(ran.String()) {
		if !strings.Contains(string(out), line) {
			t.Errorf("in the opposite order:\n%s\nwant\n%s", out, line)
		}
	}
}

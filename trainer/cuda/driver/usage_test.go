//go:build cuda

package driver

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestPrintUsage(t *testing.T) {
	onlyInRerun(t)
	infos, err := Devices()
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(len(infos) - 1)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	leave, err := d.Enter()
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	before, err := ReadUsage(len(infos) - 1)
	if err != nil {
		t.Logf("usage: %v", err)
		return
	}
	if _, err := d.Alloc(64 << 20); err != nil {
		t.Fatal(err)
	}
	u, err := ReadUsage(len(infos) - 1)
	t.Logf("usage: %s %d more of %d, %v busy, %v °C, %v W, %v", u.UUID, (u.Used-before.Used)>>20, u.Total>>20,
		u.Busy, u.Celsius, u.Watts, err)
}

// NVML is asked about the very GPU that the driver knows under a number, and where it cannot tell, that is an error.
func TestUsage(t *testing.T) {
	fibers := "LD_LIBRARY_PATH=" + filepath.Join(emulation(t), "fibers")
	for _, c := range []struct{ env, want string }{
		{"", "usage: GPU-00000000-0000-0000-0000-000000000001 66 more of 2048, 0.75 busy, 41 °C, 350.25 W, <nil>"},
		{"SWEEP_EMULATE_NVML=mig", "more of 2048, -0.01 busy, -1 °C, 350.25 W, <nil>"},
		{"SWEEP_EMULATE_NVML=none", "usage: no NVML: libnvidia-ml.so.1 does not start: status 9"},
	} {
		out, err := rerun(t, "TestPrintUsage", fibers, "SWEEP_EMULATE_GPUS=2", "SWEEP_EMULATE_MEMORY=2147483648", c.env)
		if err != nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v: %q is not in\n%s", c.env, err, c.want, out)
		}
	}
}

//go:build cuda

package driver

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// rerun runs one test of this binary in another process, with more variables in its
// environment, and returns what it printed.
func rerun(t *testing.T, test string, env ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^"+test+"$", "-test.v", "-test.count=1")
	cmd.Env = append(append(os.Environ(), "SWEEP_TEST_RERUN="+test), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// onlyInRerun skips a test unless rerun runs it.
func onlyInRerun(t *testing.T) {
	t.Helper()
	if os.Getenv("SWEEP_TEST_RERUN") != t.Name() {
		t.Skip("other tests run it")
	}
}

// emulation returns the folder that holds the emulation in all its flavours.
func emulation(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SWEEP_EMULATE")
	if dir == "" {
		if os.Getenv("SWEEP_TEST_MUST_RUN") != "" {
			t.Fatal("SWEEP_EMULATE is not set: run make test-cuda")
		}
		t.Skip("SWEEP_EMULATE is not set: run make test-cuda")
	}
	return dir
}

func TestPrintDevices(t *testing.T) {
	onlyInRerun(t)
	infos, err := Devices()
	t.Logf("devices: %v, %v", infos, err)
	var none *Unavailable
	if err != nil && !errors.As(err, &none) {
		t.Errorf("%T", err)
	}
	_, err = Open(9)
	t.Logf("open: %v", err)
}

// Where no GPU can be used, the error is one line that says why, and the process goes on.
func TestNoGPU(t *testing.T) {
	dir := emulation(t)
	fibers, broken := "LD_LIBRARY_PATH="+filepath.Join(dir, "fibers"), t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "libcuda.so.1"), []byte("not a library"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		env        []string
	}{
		{"no driver", "no NVIDIA driver on this machine (libcuda.so.1 is not installed)", []string{"LD_LIBRARY_PATH="}},
		{"broken driver", "no NVIDIA driver: " + broken + "/libcuda.so.1: ", []string{"LD_LIBRARY_PATH=" + broken}},
		{"no GPU", "NVIDIA driver for CUDA 13.0 is installed, but there is no GPU", []string{fibers, "SWEEP_EMULATE_GPUS=0"}},
		{"old driver", "NVIDIA driver for CUDA 11.8 is too old: install one for CUDA 12.1 or newer",
			[]string{fibers, "SWEEP_EMULATE_VERSION=11080"}},
		{"two GPUs", "devices: [GPU 0 (emulated on the CPU) GPU 1 (emulated on the CPU)], <nil>",
			[]string{fibers, "SWEEP_EMULATE_GPUS=2"}},
		{"unknown GPU", "open: GPU 9: this machine has GPUs 0 to 1", []string{fibers, "SWEEP_EMULATE_GPUS=2"}},
		{"old GPU", "open: GPU 9 (emulated on the CPU) has compute capability 7.5: 8.0 or newer is needed",
			[]string{fibers, "SWEEP_EMULATE_GPUS=10", "SWEEP_EMULATE_MEMORY=1048576", "SWEEP_EMULATE_CAPABILITY=75"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := rerun(t, "TestPrintDevices", c.env...)
			if err != nil || !strings.Contains(out, c.want) {
				t.Errorf("%v\n%s\nwant %q", err, out, c.want)
			}
		})
	}
}

// The emulation refuses a launch with too few or too many arguments: what a real driver
// does then is undefined.
func TestArgumentCount(t *testing.T) {
	emulation(t)
	d := open(t)
	f := must[Function](t)(must[*Module](t)(d.Load(probe)).Function("axpy"))
	s := must[*Stream](t)(d.Stream())
	x := must[Ptr](t)(d.Alloc(4))
	for _, args := range [][]Arg{{x, x, F32(1)}, {x, x, F32(1), I32(1), I32(1)}, make([]Arg, maxArgs+1)} {
		if err := s.Launch(f, Linear(1, 1), args...); err == nil {
			t.Errorf("axpy, which has 4 parameters, was launched with %d arguments", len(args))
		}
	}
	check(t, s.Launch(f, Linear(1, 1), x, x, F32(1), I32(1)), s.Synchronize(), d.Free(x), s.Close())
}

// TestPlanted runs the kernel that SWEEP_TEST_KERNEL names, on one block.
func TestPlanted(t *testing.T) {
	onlyInRerun(t)
	d := open(t)
	f := must[Function](t)(must[*Module](t)(d.Load(probe)).Function(os.Getenv("SWEEP_TEST_KERNEL")))
	s := must[*Stream](t)(d.Stream())
	threads := 64
	if strings.HasSuffix(os.Getenv("SWEEP_TEST_KERNEL"), "_warp") {
		threads = 32
	}
	x := must[Ptr](t)(d.Alloc(int64(4 * threads)))
	check(t, s.Fill32(x, 1, int64(threads)))
	grid := Linear(1, threads)
	grid.Shared = uint32(4 * threads)
	check(t, s.Launch(f, grid, x), s.Synchronize(), d.Free(x))
}

// The sanitizers find each planted bug and name its line, and pass the same kernel
// without the bug.
func TestSanitizers(t *testing.T) {
	dir := emulation(t)
	for _, c := range []struct{ flavour, kernel, want string }{
		{"tsan", "planted_barrier", "data race"},
		{"tsan", "planted_warp", "data race"},
		{"asan", "planted_bounds", "AddressSanitizer: use-after-poison"},
		{"asan", "planted_shared", "AddressSanitizer: heap-buffer-overflow"},
		{"asan", "planted_alignment", "misaligned address"},
		{"fibers", "planted_deadlock", "deadlock"},
		{"tsan", "sound_barrier", ""},
		{"tsan", "sound_warp", ""},
		{"asan", "sound_barrier", ""},
		{"asan", "sound_bounds", ""},
	} {
		t.Run(c.flavour+" "+c.kernel, func(t *testing.T) {
			t.Parallel()
			out, err := rerun(t, "TestPlanted", "SWEEP_TEST_KERNEL="+c.kernel, "LD_LIBRARY_PATH="+filepath.Join(dir, c.flavour))
			switch {
			case c.want == "" && err != nil:
				t.Errorf("%v\n%s", err, out)
			case c.want != "" && err == nil:
				t.Errorf("not found\n%s", out)
			case !strings.Contains(out, c.want):
				t.Errorf("want %q\n%s", c.want, out)
			case c.want != "" && c.want != "deadlock" && !strings.Contains(out, "probe.cu:"):
				t.Errorf("the bug's line is not named\n%s", out)
			}
		})
	}
}

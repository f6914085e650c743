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

// again runs one test of this binary once more, in a process of its own with other
// variables of the environment, and returns what it printed.
func again(t *testing.T, test string, env ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^"+test+"$", "-test.v", "-test.count=1")
	cmd.Env = append(append(os.Environ(), "SWEEP_TEST_AGAIN="+test), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// inAgain skips a test that only again runs.
func inAgain(t *testing.T) {
	t.Helper()
	if os.Getenv("SWEEP_TEST_AGAIN") != t.Name() {
		t.Skip("run by other tests")
	}
}

// emulation returns the folder with the emulation's flavours, whose tests need it.
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
	inAgain(t)
	infos, err := Devices()
	t.Logf("devices: %v, %v", infos, err)
	var none *Unavailable
	if err != nil && !errors.As(err, &none) {
		t.Errorf("%T", err)
	}
	_, err = Open(9)
	t.Logf("open: %v", err)
}

// Where there is no GPU one line says why, and the process goes on.
func TestNoGPU(t *testing.T) {
	dir := emulation(t)
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "libcuda.so.1"), []byte("not a library"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		env        []string
	}{
		{"no driver", "no NVIDIA driver on this machine (libcuda.so.1 is not installed)", []string{"LD_LIBRARY_PATH="}},
		{"broken driver", "no NVIDIA driver: " + broken + "/libcuda.so.1: ", []string{"LD_LIBRARY_PATH=" + broken}},
		{"no GPU", "NVIDIA driver for CUDA 13.0 is installed, but there is no GPU", []string{"LD_LIBRARY_PATH=" + filepath.Join(dir, "fibers"), "SWEEP_EMULATE_GPUS=0"}},
		{"old driver", "NVIDIA driver for CUDA 11.8 is too old: install one for CUDA 12.1 or newer", []string{"LD_LIBRARY_PATH=" + filepath.Join(dir, "fibers"), "SWEEP_EMULATE_VERSION=11080"}},
		{"two GPUs", "devices: [GPU 0 (emulated on the CPU) GPU 1 (emulated on the CPU)], <nil>", []string{"LD_LIBRARY_PATH=" + filepath.Join(dir, "fibers"), "SWEEP_EMULATE_GPUS=2"}},
		{"unknown GPU", "open: GPU 9: this machine has GPUs 0 to 1", []string{"LD_LIBRARY_PATH=" + filepath.Join(dir, "fibers"), "SWEEP_EMULATE_GPUS=2"}},
		{"old GPU", "open: GPU 9 (emulated on the CPU) has compute capability 7.5: 8.0 or newer is needed", []string{"LD_LIBRARY_PATH=" + filepath.Join(dir, "fibers"), "SWEEP_EMULATE_GPUS=10", "SWEEP_EMULATE_MEMORY=1048576", "SWEEP_EMULATE_CAPABILITY=75"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := again(t, "TestPrintDevices", c.env...)
			if err != nil || !strings.Contains(out, c.want) {
				t.Errorf("%v\n%s\nwant %q", err, out, c.want)
			}
		})
	}
}

// TestPlanted runs the kernel that the environment names on a block.
func TestPlanted(t *testing.T) {
	inAgain(t)
	d := open(t)
	f := must[Function](t)(must[*Module](t)(d.Load(probe)).Function(os.Getenv("SWEEP_TEST_KERNEL")))
	s := must[*Stream](t)(d.Stream())
	threads := 64
	if strings.HasSuffix(os.Getenv("SWEEP_TEST_KERNEL"), "_warp") {
		threads = 32
	}
	x := must[Ptr](t)(d.Alloc(int64(4 * threads)))
	check(t, s.Fill32(x, 1, int64(threads)))
	var args Args
	args.Ptr(x)
	check(t, s.Launch(f, Linear(1, threads, 4*threads), &args), s.Synchronize(), d.Free(x))
}

// The sanitizers find bugs that were planted, each by its line, and stop at none
// that is not there.
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
			out, err := again(t, "TestPlanted", "SWEEP_TEST_KERNEL="+c.kernel, "LD_LIBRARY_PATH="+filepath.Join(dir, c.flavour))
			switch {
			case c.want == "" && err != nil:
				t.Errorf("%v\n%s", err, out)
			case c.want != "" && err == nil:
				t.Errorf("not found\n%s", out)
			case !strings.Contains(out, c.want):
				t.Errorf("want %q\n%s", c.want, out)
			case c.want != "" && c.want != "deadlock" && !strings.Contains(out, "probe.cu:"):
				t.Errorf("its line is not named\n%s", out)
			}
		})
	}
}

//go:build cuda

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// One binary runs with and without a driver and GPUs, and says in one line what it
// has. (The worker then fails for want of a server.)
func TestCUDA(t *testing.T) {
	dir := os.Getenv("SWEEP_EMULATE")
	if dir == "" {
		t.Skip("SWEEP_EMULATE is not set: run make test-cuda")
	}
	emulated := "LD_LIBRARY_PATH=" + filepath.Join(dir, "fibers")
	for _, c := range []struct {
		name, args, env, want string
		status                int
	}{
		{"no driver", "", "", "training on the CPU: no NVIDIA driver on this machine (libcuda.so.1 is not installed)\n", 1},
		{"no driver, cpu", "--backend cpu", "", "sweep: connect to Temporal", 1},
		{"no driver, cuda", "--backend cuda", "", "sweep: --backend cuda: no NVIDIA driver on this machine (libcuda.so.1 is not installed)\n", 2},
		{"no GPU", "", emulated + ",SWEEP_EMULATE_GPUS=0", "training on the CPU: NVIDIA driver for CUDA 13.0 is installed, but there is no GPU\n", 1},
		{"no GPU, cuda", "--backend cuda", emulated + ",SWEEP_EMULATE_GPUS=0", "sweep: --backend cuda: NVIDIA driver for CUDA 13.0 is installed, but there is no GPU\n", 2},
		{"one GPU", "", emulated, "training on GPU 0 (emulated on the CPU)\n", 1},
		{"two GPUs", "--slots-per-gpu 2", emulated + ",SWEEP_EMULATE_GPUS=2", "training on GPU 0 (emulated on the CPU), GPU 1 (emulated on the CPU)\n", 1},
		{"second GPU", "--gpus 1", emulated + ",SWEEP_EMULATE_GPUS=2", "training on GPU 1 (emulated on the CPU)\n", 1},
		{"third GPU", "--gpus 2", emulated + ",SWEEP_EMULATE_GPUS=2", "sweep: --gpus 2: this machine has GPUs 0 to 1\n", 2},
		{"old driver", "", emulated + ",SWEEP_EMULATE_VERSION=11080", "training on the CPU: NVIDIA driver for CUDA 11.8 is too old", 1},
		{"old GPU", "", emulated + ",SWEEP_EMULATE_CAPABILITY=75", "has compute capability 7.5: 8.0 or newer is needed\n", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], append([]string{"worker", "--address", "127.0.0.1:1", "--dir", t.TempDir()}, strings.Fields(c.args)...)...)
			cmd.Env = append(append(os.Environ(), asMain+"=1", "LD_LIBRARY_PATH="), strings.Split(c.env, ",")...)
			out, _ := cmd.CombinedOutput()
			if !strings.Contains(string(out), c.want) || cmd.ProcessState.ExitCode() != c.status {
				t.Errorf("status %d, want %d\n%s\nwant %q", cmd.ProcessState.ExitCode(), c.status, out, c.want)
			}
		})
	}
}

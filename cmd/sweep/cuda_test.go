//go:build cuda

package main

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// emulator returns the folder of the library that emulates a GPU on the CPU.
func emulator(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SWEEP_EMULATE")
	if dir == "" {
		t.Skip("SWEEP_EMULATE is not set: run make test-cuda")
	}
	return filepath.Join(dir, "fibers")
}

// emulated is the variable with which a program finds an emulated GPU.
func emulated(t *testing.T) string {
	t.Helper()
	return "LD_LIBRARY_PATH=" + emulator(t)
}

// One binary runs with and without a driver and GPUs, and says in one line what it
// has. The worker then fails because there is no server.
func TestCUDA(t *testing.T) {
	const (
		noDriver  = "no NVIDIA driver on this machine (libcuda.so.1 is not installed)\n"
		noGPU     = "NVIDIA driver for CUDA 13.0 is installed, but there is no GPU\n"
		oldDriver = "NVIDIA driver for CUDA 11.8 is too old"
		gpu0      = "GPU 0 (emulated on the CPU)"
		gpu1      = "GPU 1 (emulated on the CPU)"
	)
	gpu := emulated(t)
	for _, c := range []struct {
		name, args, env, want string
		status                int
	}{
		{"no driver", "", "", "training on the CPU: " + noDriver, 1},
		{"no driver, cpu", "--backend cpu", "", "sweep: connect to Temporal", 1},
		{"no driver, cuda", "--backend cuda", "", "sweep: --backend cuda: " + noDriver, 2},
		{"no GPU", "", gpu + ",SWEEP_EMULATE_GPUS=0", "training on the CPU: " + noGPU, 1},
		{"no GPU, cuda", "--backend cuda", gpu + ",SWEEP_EMULATE_GPUS=0", "sweep: --backend cuda: " + noGPU, 2},
		{"one GPU", "", gpu, "training on " + gpu0 + "\n", 1},
		{"two GPUs", "--slots-per-gpu 2", gpu + ",SWEEP_EMULATE_GPUS=2", "training on " + gpu0 + ", " + gpu1 + "\n", 1},
		{"second GPU", "--gpus 1", gpu + ",SWEEP_EMULATE_GPUS=2", "training on " + gpu1 + "\n", 1},
		{"third GPU", "--gpus 2", gpu + ",SWEEP_EMULATE_GPUS=2", "sweep: --gpus 2: this machine has GPUs 0 to 1\n", 2},
		{"old driver", "", gpu + ",SWEEP_EMULATE_VERSION=11080", "training on the CPU: " + oldDriver, 1},
		{"old GPU", "", gpu + ",SWEEP_EMULATE_CAPABILITY=75", "has compute capability 7.5: 8.0 or newer is needed\n", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"worker", "--address", "127.0.0.1:1", "--dir", t.TempDir()}, strings.Fields(c.args)...)
			cmd := exec.Command(os.Args[0], args...)
			cmd.Env = append(append(os.Environ(), asMain+"=1", "LD_LIBRARY_PATH="), strings.Split(c.env, ",")...)
			out, _ := cmd.CombinedOutput()
			if !strings.Contains(string(out), c.want) || cmd.ProcessState.ExitCode() != c.status {
				t.Errorf("status %d, want %d\n%s\nwant %q", cmd.ProcessState.ExitCode(), c.status, out, c.want)
			}
		})
	}
}

// A sweep on a GPU that was killed in the middle ends with the same table and weights,
// byte for byte, as an undisturbed one in which each cell is trained alone. The CPU
// finds the same losses.
func TestCUDASweep(t *testing.T) {
	t.Setenv("LD_LIBRARY_PATH", emulator(t))
	const shared = `
name: tiny
data: {synthetic: {activation_dim: 32, directions: 64, tokens: 20000, active: 4, noise: 0.05}, normalize: mean_square}
parameters: {k: [2, 4], auxk_alpha: [0, 0.03125]}
train: {dict_size: 128, steps: 120, batch_size: 64, lr: 0.002, dead_feature_threshold: 2000}
run: {checkpoint: {every: 1s}}
`
	alone := writeGrid(t, changed(t, shared, "run: {", "run: {share_prefixes: false, "))
	undisturbed, dir := t.TempDir(), t.TempDir()
	want := mustRun(t, undisturbed, "run", alone, "--no-ui", "--slots-per-gpu", "2")
	if strings.Count(want, "completed") != 4 {
		t.Fatalf("the undisturbed sweep:\n%s", want)
	}

	grid := writeGrid(t, shared)
	p := startProgram(t, dir, "run", grid, "--no-ui", "--backend", "cuda")
	waitFor(t, "a checkpoint in the middle of a run", func() bool { return countManifests(t, dir) > 0 })
	p.Process.Kill()
	if status := p.exitStatus(t); status != -1 {
		t.Fatalf("the sweep was over before it was killed: status %d\n%s", status, p.err.String())
	}
	p = startProgram(t, dir, "run", grid, "--no-ui", "--backend", "cuda")
	if status := p.exitStatus(t); status != exitOK || p.out.String() != want {
		t.Errorf("killed: status %d\n%s\nundisturbed:\n%s", status, p.out.String(), want)
	}
	if note := "training on GPU 0 (emulated on the CPU)"; !strings.Contains(p.err.String(), note) {
		t.Errorf("%q is not in\n%s", note, p.err.String())
	}
	if !maps.Equal(readModels(t, dir), readModels(t, undisturbed)) {
		t.Error("the weights differ from those of the undisturbed sweep")
	}

	cpu := losses(t, mustRun(t, t.TempDir(), "run", grid, "--no-ui", "--backend", "cpu", "-o", "json"))
	for cell, gpu := range losses(t, mustRun(t, dir, "results", "tiny", "-o", "json")) {
		if !(math.Abs(gpu-cpu[cell]) <= 1e-3*cpu[cell]) {
			t.Errorf("%s: loss %g on the GPU, %g on the CPU", cell, gpu, cpu[cell])
		}
	}
}

// losses returns the L2 loss of each cell of results in JSON.
func losses(t *testing.T, results string) map[string]float64 {
	t.Helper()
	var rows []struct {
		Cell string  `json:"cell"`
		L2   float64 `json:"l2_loss"`
	}
	if err := json.Unmarshal([]byte(results), &rows); err != nil || len(rows) == 0 {
		t.Fatalf("%v in %s", err, results)
	}
	out := map[string]float64{}
	for _, r := range rows {
		out[r.Cell] = r.L2
	}
	return out
}

// cudaGrid is a sweep of four runs on the GPU.
const cudaGrid = `
name: cards
data: {synthetic: {activation_dim: 32, directions: 64, tokens: 20000, active: 4, noise: 0.05}}
parameters: {k: [2, 3, 4, 5]}
train: {dict_size: 128, steps: 60, batch_size: 64, lr: 0.002}
run: {checkpoint: {every: 1s}}
`

// One GPU of three that breaks under two runs, and one that is full, fail no run: the third one trains all, to the same
// bits. The program says which GPU it has set aside.
func TestCUDAOneOfManyBreaks(t *testing.T) {
	t.Parallel() // it waits most of the time
	gpu := emulated(t)
	grid := writeGrid(t, cudaGrid)
	undisturbed, dir := t.TempDir(), t.TempDir()
	want := mustRun(t, undisturbed, gpu, "run", grid, "--no-ui", "--backend", "cuda")
	p := startProgram(t, dir, gpu, "SWEEP_EMULATE_GPUS=3", "SWEEP_EMULATE_MEMORY=1073741824",
		"SWEEP_EMULATE_SETTINGS=0 fail 700 after 500; 1 taken 1000000000",
		"run", grid, "--no-ui", "--backend", "cuda", "--slots-per-gpu", "2")
	if status := p.exitStatus(t); status != exitOK || p.out.String() != want {
		t.Errorf("status %d\n%s\n%s\nundisturbed:\n%s", status, p.err.String(), p.out.String(), want)
	}
	aside := "GPU 0 (emulated on the CPU) is set aside"
	if got := p.err.String(); strings.Count(got, aside) != 1 || !strings.Contains(got, "CUDA_ERROR_ILLEGAL_ADDRESS") {
		t.Errorf("want %q once in\n%s", aside, got)
	}
	if !maps.Equal(readModels(t, dir), readModels(t, undisturbed)) {
		t.Error("the weights differ from those of the undisturbed sweep")
	}
}

// A GPU that is broken when the program starts is named, and the others are used.
func TestCUDABrokenAtStart(t *testing.T) {
	t.Parallel() // it waits most of the time
	gpu := emulated(t)
	for _, c := range []struct {
		gpus   string
		status int
		want   []string
	}{
		{"0,1", exitOK, []string{
			"training on GPU 0 (emulated on the CPU)\n", "GPU 1 (H100) is set aside", "DEVICE_UNAVAILABLE",
		}},
		{"1", exitError, []string{"does not work any more", "DEVICE_UNAVAILABLE"}},
	} {
		p := startProgram(t, t.TempDir(), gpu, "SWEEP_EMULATE_GPUS=2", "SWEEP_EMULATE_SETTINGS=1 fail 46; 1 name H100",
			"run", writeGrid(t, cudaGrid), "--no-ui", "--backend", "cuda", "--gpus", c.gpus)
		status := p.exitStatus(t)
		for _, want := range c.want {
			if status != c.status || !strings.Contains(p.err.String(), want) {
				t.Errorf("--gpus %s: status %d, want %d and %q in\n%s", c.gpus, status, c.status, want, p.err.String())
			}
		}
	}
}

// Where the last GPU breaks, run and worker end with status 1 and say so, and up keeps the server and says so. No run
// fails: the sweep goes on where there is a GPU.
func TestCUDALastBreaks(t *testing.T) {
	t.Parallel() // it waits most of the time
	gpu := emulated(t)
	grid := writeGrid(t, cudaGrid)
	want := mustRun(t, t.TempDir(), gpu, "run", grid, "--no-ui", "--backend", "cuda")
	const lost = "no GPU is left that works"
	breaks := func(verb ...string) *program {
		return startProgram(t, verb[0], append(verb[1:], gpu, "SWEEP_EMULATE_SETTINGS=0 fail 719 after 500")...)
	}
	dir := t.TempDir()
	p := breaks(dir, "run", grid, "--no-ui", "--backend", "cuda")
	if status := p.exitStatus(t); status != exitError || !strings.Contains(p.err.String(), lost) {
		t.Errorf("run: status %d\n%s", status, p.err.String())
	}
	if got := mustRun(t, dir, gpu, "run", grid, "--no-ui", "--backend", "cuda"); got != want {
		t.Errorf("the sweep went on to\n%s\nundisturbed:\n%s", got, want)
	}

	dir = t.TempDir()
	up := breaks(dir, "up", "--no-ui", "--backend", "cuda")
	waitFor(t, "the server", func() bool { return strings.Contains(up.err.String(), "Temporal server at") })
	mustRun(t, dir, "submit", grid, "--backend", "cuda")
	waitFor(t, "up to say that its GPU is lost", func() bool { return strings.Contains(up.err.String(), lost) })
	up.terminate(t)

	dir = t.TempDir()
	up = startProgram(t, dir, "up", "--no-ui", "--backend", "cpu")
	waitFor(t, "the server", func() bool { return strings.Contains(up.err.String(), "Temporal server at") })
	mustRun(t, dir, "submit", grid, "--backend", "cuda")
	worker := breaks(dir, "worker", "--backend", "cuda")
	if status := worker.exitStatus(t); status != exitError || !strings.Contains(worker.err.String(), lost) {
		t.Errorf("worker: status %d\n%s", status, worker.err.String())
	}
	healthy := startProgram(t, dir, gpu, "worker", "--backend", "cuda", "--slots-per-gpu", "2")
	waitFor(t, "a worker with a GPU to train all", func() bool {
		return strings.Count(mustRun(t, dir, "results", "cards"), "completed") == 4
	})
	if got := mustRun(t, dir, "results", "cards"); got != want {
		t.Errorf("behind workers whose GPU broke:\n%s\nundisturbed:\n%s", got, want)
	}
	healthy.terminate(t)
	up.terminate(t)
}

// Memory that others have delays a run, and fails none.
func TestCUDAMemoryTaken(t *testing.T) {
	t.Parallel() // it waits most of the time
	gpu := emulated(t)
	control := filepath.Join(t.TempDir(), "control")
	if err := os.WriteFile(control, []byte("0 taken 4294967296"), 0o666); err != nil {
		t.Fatal(err)
	}
	dir, grid := t.TempDir(), writeGrid(t, cudaGrid)
	p := startProgram(t, dir, gpu, "SWEEP_EMULATE_CONTROL="+control,
		"run", grid, "--no-ui", "--backend", "cuda", "--slots-per-gpu", "2")
	waitFor(t, "a run that finds no memory", func() bool {
		p := startProgram(t, dir, "status", "cards")
		p.exitStatus(t)
		return strings.Contains(p.out.String()+p.err.String(), "memory")
	})
	if err := os.Remove(control); err != nil {
		t.Fatal(err)
	}
	if status := p.exitStatus(t); status != exitOK || strings.Count(p.out.String(), "completed") != 4 {
		t.Errorf("status %d\n%s\n%s", status, p.err.String(), p.out.String())
	}
}

// A process that trains on GPUs tells of those that it uses, by the numbers that it has for them.
func TestCUDAMetrics(t *testing.T) {
	t.Parallel()
	up, _ := startServer(t, t.TempDir(), emulated(t), "SWEEP_EMULATE_GPUS=2", "SWEEP_EMULATE_MEMORY=2147483648",
		"--gpus", "1", "--metrics-addr", ":0")
	_, body := scrape(t, metricsOf(t, up)+"/metrics")
	const labels = `{gpu="1",uuid="GPU-00000000-0000-0000-0000-000000000001"} `
	for _, want := range []string{
		"sweep_gpu_memory_total_bytes" + labels + "2.147483648e+09\n", "sweep_gpu_memory_used_bytes" + labels,
		"sweep_gpu_utilization_ratio" + labels + "0.75\n", "sweep_gpu_temperature_celsius" + labels + "41\n",
		"sweep_gpu_power_watts" + labels + "350.25\n",
	} {
		if !strings.Contains(body, "\n"+want) {
			t.Errorf("%q is not in\n%s", want, body)
		}
	}
	if strings.Contains(body, `{gpu="0"`) {
		t.Errorf("a GPU that is not used:\n%s", body)
	}
	up.terminate(t)
}

//go:build cuda

package main

import (
	"maps"
	"strings"
	"testing"
)

// Two processes with emulated GPUs train one sweep. One of the two GPUs of the first breaks, and it goes on with the
// other one. The only GPU of the second breaks: it ends with status 1, and says why. No cell fails for that, and the
// sweep ends with the table and the weights of an undisturbed one, byte for byte.
func TestCUDAChaos(t *testing.T) {
	t.Parallel() // it waits most of the time
	gpu := emulated(t)
	const text = `
name: broken
data: {synthetic: {activation_dim: 32, directions: 64, tokens: 20000, active: 4, noise: 0.05}, normalize: mean_square}
parameters: {k: [2, 4], auxk_alpha: [0, 0.03125], seed: [0, 1]}
train: {dict_size: 128, steps: 60, batch_size: 64, lr: 0.002, dead_feature_threshold: 2000}
run: {share_prefixes: false, checkpoint: {every: 1s}}
`
	grid := writeGrid(t, text)
	undisturbed, dir := t.TempDir(), t.TempDir()
	want := mustRun(t, undisturbed, gpu, "run", grid, "--no-ui", "--backend", "cuda", "--slots-per-gpu", "2")
	if strings.Count(want, "completed") != 8 {
		t.Fatalf("the undisturbed sweep:\n%s", want)
	}

	const illegalAddress = "fail 700 after 300" // launches: in the middle of the first run on the GPU
	up, info := startServer(t, dir, gpu, "SWEEP_EMULATE_GPUS=2", "SWEEP_EMULATE_SETTINGS=1 "+illegalAddress,
		"--backend", "cuda", "--slots-per-gpu", "2")
	worker := startProgram(t, dir, gpu, "SWEEP_EMULATE_GPUS=1", "SWEEP_EMULATE_SETTINGS=0 "+illegalAddress,
		"worker", "--address", info.HostPort, "--backend", "cuda", "--slots-per-gpu", "2")
	submit := startProgram(t, dir, gpu, "submit", grid, "--wait")
	if status := submit.exitStatus(t); status != exitOK || submit.out.String() != want {
		t.Errorf("status %d\n%s\nundisturbed:\n%s\n%s", status, submit.out.String(), want, submit.err.String())
	}
	if status := worker.exitStatus(t); status != exitError || !strings.Contains(worker.err.String(), "GPU 0") {
		t.Errorf("the worker whose only GPU is broken: status %d\n%s", status, worker.err.String())
	}
	up.terminate(t)
	if !maps.Equal(readModels(t, dir), readModels(t, undisturbed)) {
		t.Error("the weights differ from those of the undisturbed sweep")
	}
}

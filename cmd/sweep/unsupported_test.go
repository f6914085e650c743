package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda"
)

// What the backend cannot train is refused before anything is started or written, by every verb that takes a grid, and
// the cells are named.
func TestUnsupportedCells(t *testing.T) {
	g := writeGrid(t, gridWith("parameters: {k: [2, 4], precision: [f32, bf16, tf32]}"))
	for _, verb := range []string{"plan", "run", "submit"} {
		dir := filepath.Join(t.TempDir(), "state")
		p := startProgram(t, dir, verb, g, "--backend", "cpu")
		if status := p.exitStatus(t); status != exitBadInput || p.out.Len() > 0 {
			t.Errorf("%s: status %d, want %d\n%s", verb, status, exitBadInput, p.out.String())
		}
		for _, want := range []string{
			"grid.yaml: 4 of 6 cells cannot be trained:\n", "  k=2 precision=bf16: backend cpu: precision bf16: not supported",
			"  k=4 precision=tf32: ", "use f32",
		} {
			if !strings.Contains(p.err.String(), want) {
				t.Errorf("%s: no %q in\n%s", verb, want, p.err.String())
			}
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s made a state directory", verb)
		}
	}
}

// A grid for GPUs is planned on a machine without one, and by a program without CUDA.
func TestPlanForGPUs(t *testing.T) {
	if _, err := cuda.GPUs(); err == nil {
		t.Skip("this machine has a GPU")
	}
	g := writeGrid(t, gridWith("parameters: {k: [2, 3]}"))
	p := startProgram(t, t.TempDir(), "plan", g, "--backend", "cuda")
	const note = "note: there is no time: --backend cuda"
	if status := p.exitStatus(t); status != exitOK || !strings.Contains(p.err.String(), note) ||
		!strings.Contains(p.out.String(), "  cells       2\n") {
		t.Errorf("status %d\n%s%s", status, p.err.String(), p.out.String())
	}
	wide := writeGrid(t, gridWith(
		"data: {synthetic: {activation_dim: 16385, directions: 2, tokens: 100, active: 1}, eval_tokens: 10}"))
	p = startProgram(t, t.TempDir(), "plan", wide, "--backend", "cuda")
	if status := p.exitStatus(t); status != exitBadInput || !strings.Contains(p.err.String(), "activation_dim 16385") {
		t.Errorf("status %d\n%s", status, p.err.String())
	}
}

// A run that has its result need not be trained: its sweep is shown also where it could not be trained.
func TestUnsupportedWithResult(t *testing.T) {
	backend, err := backendFor("cpu")
	if err != nil {
		t.Fatal(err)
	}
	at := location{dir: t.TempDir()}
	c := trainer.Config{Precision: "bf16"}
	refuse := func() error {
		return refusal(t.Context(), at, backend)("00112233445566778899", c)
	}
	if err := refuse(); err == nil {
		t.Error("no error without a result")
	}
	store, err := openStore(t.Context(), at.storeURL())
	if err != nil {
		t.Fatal(err)
	}
	if err := ledger.New(store).StoreResult(t.Context(), "00112233445566778899", ledger.Result{}); err != nil {
		t.Fatal(err)
	}
	if err := refuse(); err != nil {
		t.Error(err)
	}
	var b bytes.Buffer
	status := execute(t.Context(), &environment{out: &b, errOut: &b}, []string{"plan", "x", "--backend", "tpu"})
	if status != exitBadInput {
		t.Errorf("status %d\n%s", status, b.String())
	}
}

package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

func TestChooseGPUs(t *testing.T) {
	two := []string{"GPU 0 (A)", "GPU 1 (B)"}
	none := errors.New("no NVIDIA driver on this machine")
	for _, c := range []struct {
		backend  string
		want     []int
		present  []string
		none     error
		notBuilt bool
		use      []int
		message  string // the note or the error
	}{
		{"auto", nil, two, nil, false, []int{0, 1}, ""},
		{"cuda", nil, two, nil, false, []int{0, 1}, ""},
		{"cuda", []int{1}, two, nil, false, []int{1}, ""},
		{"cuda", []int{1, 0}, two, nil, false, []int{1, 0}, ""},
		{"cpu", nil, two, nil, false, nil, ""},
		{"auto", nil, nil, none, false, nil, "training on the CPU: no NVIDIA driver on this machine"},
		{"auto", nil, nil, none, true, nil, ""}, // not built with CUDA: no note
		{"cuda", nil, nil, none, true, nil, "--backend cuda: no NVIDIA driver on this machine"},
		{"auto", []int{0}, nil, none, false, nil, "--gpus: no NVIDIA driver on this machine"},
		{"cpu", []int{0}, two, nil, false, nil, "--gpus: --backend cpu uses none"},
		{"cuda", []int{2}, two, nil, false, nil, "--gpus 2: this machine has GPUs 0 to 1"},
		{"cuda", []int{-1}, two, nil, false, nil, "--gpus -1: this machine has GPUs 0 to 1"},
		{"cuda", []int{0, 0}, two, nil, false, nil, "--gpus: 0 comes twice; --slots-per-gpu 2 trains two runs on each"},
		{"tpu", nil, two, nil, false, nil, `backend "tpu": want auto, cpu or cuda`},
	} {
		use, note, err := chooseGPUs(c.backend, c.want, c.present, c.none, c.notBuilt)
		message := note
		if err != nil {
			message = err.Error()
			if !errors.As(err, new(inputError)) {
				t.Errorf("%+v: %v does not end with status 2", c, err)
			}
		}
		if !slices.Equal(use, c.use) || message != c.message || strings.Contains(message, "\n") {
			t.Errorf("%+v: %v, %q", c, use, message)
		}
	}
}

func TestGPUPool(t *testing.T) {
	p := newGPUPool([]trainer.Backend{cpu.New(1), cpu.New(1), cpu.New(1)})
	c := trainer.Config{
		Recipe: "corrected", ActivationDim: 4, DictSize: 8, K: 2, Steps: 10, BatchSize: 4, DecayStart: 5,
	}.Resolve()
	var models []trainer.Model
	for i, want := range [][]int{{1, 0, 0}, {1, 1, 0}, {1, 1, 1}, {2, 1, 1}} {
		m, err := p.New(c, trainer.Init(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		models = append(models, m)
		if !slices.Equal(p.runs, want) {
			t.Errorf("run %d: %v", i, p.runs)
		}
	}
	// Closing a model twice gives its GPU back once. The next run gets that one.
	for range 2 {
		if err := models[1].Close(); err != nil {
			t.Fatal(err)
		}
	}
	if want := []int{2, 0, 1}; !slices.Equal(p.runs, want) {
		t.Errorf("%v", p.runs)
	}
	if _, err := p.New(c, trainer.Init(c), nil); err != nil || p.runs[1] != 1 {
		t.Errorf("%v, %v", p.runs, err)
	}
	// A run that cannot be had takes nothing.
	p.gpus[1] = fullGPU{p.gpus[1]}
	_, err := p.New(c, trainer.Init(c), nil)
	if !errors.Is(err, trainer.ErrMemory) || !slices.Equal(p.runs, []int{2, 1, 1}) {
		t.Errorf("%v, %v", p.runs, err)
	}
}

// A pool refuses what any of its GPUs cannot train: a model may come to that one.
func TestGPUPoolUnsupported(t *testing.T) {
	c := trainer.Config{Precision: "bf16"}
	p := newGPUPool([]trainer.Backend{anyPrecision{cpu.New(1)}, anyPrecision{cpu.New(1)}})
	if err := p.Unsupported(c); err != nil {
		t.Error(err)
	}
	p.gpus[1] = cpu.New(1)
	if err := p.Unsupported(c); !errors.Is(err, trainer.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
}

// anyPrecision trains in every precision.
type anyPrecision struct{ trainer.Backend }

func (anyPrecision) Unsupported(trainer.Config) error { return nil }

// A fullGPU has no memory for another model.
type fullGPU struct{ trainer.Backend }

func (fullGPU) New(trainer.Config, *trainer.State, trainer.Batches) (trainer.Model, error) {
	return nil, trainer.ErrMemory
}

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/topksweep/sweep/trainer"
)

// chooseGPUs returns the numbers of the GPUs that a process uses. backend and want
// are the flags --backend and --gpus. present names the GPUs of this machine; none
// is the error that says why there are none; notBuilt says that the program has no
// GPU support. note is a line for the user where the process trains on the CPU
// although it has GPU support.
func chooseGPUs(
	backend string, want []int, present []string, none error, notBuilt bool,
) (use []int, note string, err error) {
	switch backend {
	case "cpu":
		if len(want) > 0 {
			return nil, "", inputError{errors.New("--gpus: --backend cpu uses none")}
		}
		return nil, "", nil
	case "auto", "cuda":
	default:
		return nil, "", inputError{fmt.Errorf("backend %q: want auto, cpu or cuda", backend)}
	}
	if none != nil {
		switch {
		case backend == "cuda":
			return nil, "", inputError{fmt.Errorf("--backend cuda: %w", none)}
		case len(want) > 0:
			return nil, "", inputError{fmt.Errorf("--gpus: %w", none)}
		case notBuilt:
			return nil, "", nil
		}
		return nil, "training on the CPU: " + none.Error(), nil
	}
	for i, g := range want {
		if g < 0 || g >= len(present) {
			return nil, "", inputError{fmt.Errorf("--gpus %d: this machine has GPUs 0 to %d", g, len(present)-1)}
		}
		if slices.Contains(want[:i], g) {
			return nil, "", inputError{fmt.Errorf(
				"--gpus: %d comes twice; --slots-per-gpu 2 trains two runs on each", g)}
		}
	}
	if len(want) > 0 {
		return want, "", nil
	}
	for g := range present {
		use = append(use, g)
	}
	return use, "", nil
}

// A gpuPool is several GPUs as one backend. A model goes to the GPU with the fewest
// models, and is counted there until it is closed. The worker decides how many runs
// there are at a time.
type gpuPool struct {
	gpus []trainer.Backend

	mu   sync.Mutex
	runs []int // models on each GPU
}

func newGPUPool(gpus []trainer.Backend) *gpuPool {
	return &gpuPool{gpus: gpus, runs: make([]int, len(gpus))}
}

func (p *gpuPool) Name() string                                { return p.gpus[0].Name() }
func (p *gpuPool) Bytes(c trainer.Config) (device, host int64) { return p.gpus[0].Bytes(c) }
func (p *gpuPool) MeasureRoofline() (*trainer.Roofline, error) { return p.gpus[0].MeasureRoofline() }

// Unsupported implements trainer.Backend. A model may come to any of the GPUs.
func (p *gpuPool) Unsupported(c trainer.Config) error {
	for _, g := range p.gpus {
		if err := g.Unsupported(c); err != nil {
			return err
		}
	}
	return nil
}

// OfClass implements trainer.Backend.
func (p *gpuPool) OfClass(string) (trainer.Backend, error) { return p, nil }

func (p *gpuPool) New(c trainer.Config, s *trainer.State, data trainer.Batches) (trainer.Model, error) {
	p.mu.Lock()
	g := slices.Index(p.runs, slices.Min(p.runs))
	p.runs[g]++
	p.mu.Unlock()
	release := sync.OnceFunc(func() {
		p.mu.Lock()
		p.runs[g]--
		p.mu.Unlock()
	})
	m, err := p.gpus[g].New(c, s, data)
	if err != nil {
		release()
		return nil, err
	}
	return leasedModel{m, release}, nil
}

// A leasedModel gives its GPU back when it is closed.
type leasedModel struct {
	trainer.Model
	release func()
}

func (m leasedModel) Close() error {
	defer m.release()
	return m.Model.Close()
}

// gpuNames returns the names of the GPUs that are used, for the user.
func gpuNames(use []int, present []string) string {
	names := make([]string, len(use))
	for i, g := range use {
		names[i] = present[g]
	}
	return strings.Join(names, ", ")
}

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/topksweep/sweep/trainer"
)

// chooseGPUs says which of the GPUs that are there (or why there are none) a
// process uses, as --backend and --gpus want it. Where it uses none, note says
// why in a line, if that is worth saying.
func chooseGPUs(backend string, want []int, there []string, none error, notBuilt bool) (use []int, note string, err error) {
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
		if g < 0 || g >= len(there) {
			return nil, "", inputError{fmt.Errorf("--gpus %d: this machine has GPUs 0 to %d", g, len(there)-1)}
		}
		if slices.Contains(want[:i], g) {
			return nil, "", inputError{fmt.Errorf("--gpus: %d comes twice; --slots-per-gpu 2 trains two runs on each", g)}
		}
	}
	if len(want) > 0 {
		return want, "", nil
	}
	for g := range there {
		use = append(use, g)
	}
	return use, "", nil
}

// A gpuPool is several GPUs as one backend: a run gets the one with the fewest
// runs, until its model is closed. How many runs there are at a time is the
// worker's matter.
type gpuPool struct {
	gpus []trainer.Backend

	mu   sync.Mutex
	runs []int // on each
}

func newGPUPool(gpus []trainer.Backend) *gpuPool {
	return &gpuPool{gpus: gpus, runs: make([]int, len(gpus))}
}

func (p *gpuPool) Name() string                                { return p.gpus[0].Name() }
func (p *gpuPool) Bytes(c trainer.Config) (device, host int64) { return p.gpus[0].Bytes(c) }
func (p *gpuPool) New(c trainer.Config, s *trainer.State) (trainer.Model, error) {
	return p.lease(func(b trainer.Backend) (trainer.Model, error) { return b.New(c, s) })
}

// Hold is New for a model that trains on a table, which its GPU may hold.
func (p *gpuPool) Hold(c trainer.Config, s *trainer.State, t trainer.Table) (trainer.Model, error) {
	return p.lease(func(b trainer.Backend) (trainer.Model, error) {
		if h, ok := b.(trainer.Holder); ok {
			return h.Hold(c, s, t)
		}
		return b.New(c, s)
	})
}

func (p *gpuPool) lease(make func(trainer.Backend) (trainer.Model, error)) (trainer.Model, error) {
	p.mu.Lock()
	g := slices.Index(p.runs, slices.Min(p.runs))
	p.runs[g]++
	p.mu.Unlock()
	release := sync.OnceFunc(func() {
		p.mu.Lock()
		p.runs[g]--
		p.mu.Unlock()
	})
	m, err := make(p.gpus[g])
	if err != nil {
		release()
		return nil, err
	}
	// What the model can do besides shows in its type.
	switch m := m.(type) {
	case trainer.Picker:
		return leasedPicker{m, release}, nil
	case trainer.Stager:
		return leasedStager{m, release}, nil
	}
	return leasedModel{m, release}, nil
}

type leasedModel struct {
	trainer.Model
	release func()
}
type leasedStager struct {
	trainer.Stager
	release func()
}
type leasedPicker struct {
	trainer.Picker
	release func()
}

func (m leasedModel) Close() error  { defer m.release(); return m.Model.Close() }
func (m leasedStager) Close() error { defer m.release(); return m.Stager.Close() }
func (m leasedPicker) Close() error { defer m.release(); return m.Picker.Close() }

// on names the GPUs that are used.
func on(use []int, there []string) string {
	names := make([]string, len(use))
	for i, g := range use {
		names[i] = there[g]
	}
	return strings.Join(names, ", ")
}

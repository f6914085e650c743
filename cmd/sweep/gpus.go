package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/topksweep/sweep/trainer"
)

// chooseGPUs returns the numbers of the GPUs that a process uses. backend and
// wanted are the flags --backend and --gpus. names are the GPUs of this machine;
// if there are none, unusable says why, and notBuilt that this program is built
// without CUDA. If the process uses none, note may say why, in one line.
func chooseGPUs(backend string, wanted []int, names []string, unusable error, notBuilt bool) (
	use []int, note string, err error) {

	switch backend {
	case "cpu":
		if len(wanted) > 0 {
			return nil, "", inputError{errors.New("--gpus: --backend cpu uses none")}
		}
		return nil, "", nil
	case "auto", "cuda":
	default:
		return nil, "", inputError{fmt.Errorf("backend %q: want auto, cpu or cuda", backend)}
	}
	if unusable != nil {
		switch {
		case backend == "cuda":
			return nil, "", inputError{fmt.Errorf("--backend cuda: %w", unusable)}
		case len(wanted) > 0:
			return nil, "", inputError{fmt.Errorf("--gpus: %w", unusable)}
		case notBuilt:
			return nil, "", nil
		}
		return nil, "training on the CPU: " + unusable.Error(), nil
	}
	for i, g := range wanted {
		if g < 0 || g >= len(names) {
			return nil, "", inputError{fmt.Errorf("--gpus %d: this machine has GPUs 0 to %d", g, len(names)-1)}
		}
		if slices.Contains(wanted[:i], g) {
			return nil, "", inputError{fmt.Errorf("--gpus: %d comes twice; --slots-per-gpu 2 trains two runs on each", g)}
		}
	}
	if len(wanted) > 0 {
		return wanted, "", nil
	}
	for g := range names {
		use = append(use, g)
	}
	return use, "", nil
}

// A gpuPool is several GPUs as one backend: a run gets the one with the fewest
// runs, until its model is closed. The worker sees to it that there are no more
// runs at a time than there are slots.
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
func (p *gpuPool) MeasureRoofline() (*trainer.Roofline, error) { return p.gpus[0].MeasureRoofline() }

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

// joinNames lists the names of the GPUs that are used.
func joinNames(use []int, names []string) string {
	used := make([]string, len(use))
	for i, g := range use {
		used[i] = names[g]
	}
	return strings.Join(used, ", ")
}

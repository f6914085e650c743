package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

type panickingGPU struct{ trainer.Backend }

func (panickingGPU) New(trainer.Config, *trainer.State, trainer.Batches) (trainer.Model, error) {
	panic("a defect")
}

// anyPrecision trains in every precision.
type anyPrecision struct{ trainer.Backend }

func (anyPrecision) Unsupported(trainer.Config) error { return nil }

// A fullGPU has no memory for another model.
type fullGPU struct{ trainer.Backend }

func (fullGPU) New(trainer.Config, *trainer.State, trainer.Batches) (trainer.Model, error) {
	return nil, trainer.ErrMemory
}

// poolConfig is a small run.
func poolConfig() trainer.Config {
	return trainer.Config{
		Recipe: "corrected", ActivationDim: 4, DictSize: 8, K: 2, Steps: 10, BatchSize: 4, DecayStart: 5,
	}.Resolve()
}

// A cardGPU is a GPU with memory of its own, that can be taken, too small, broken or of a class.
type cardGPU struct {
	trainer.Backend
	free   int64
	class  string
	err    error  // of New and of FreeMemory
	break_ *error // of its models, once it is set
	making func() // called while a model is made
}

func (g *cardGPU) FreeMemory() (int64, error) {
	if errors.Is(g.err, trainer.ErrBroken) {
		return 0, g.err
	}
	return g.free, nil
}

func (g *cardGPU) OfClass(class string) (trainer.Backend, error) {
	if g.class != class {
		return nil, fmt.Errorf("%w: this is %s", trainer.ErrOtherClass, g.class)
	}
	return g, nil
}

func (g *cardGPU) New(c trainer.Config, s *trainer.State, data trainer.Batches) (trainer.Model, error) {
	if g.making != nil {
		g.making()
	}
	if g.err != nil {
		return nil, g.err
	}
	m, err := g.Backend.New(c, s, data)
	return cardModel{m, g}, err
}

type cardModel struct {
	trainer.Model
	on *cardGPU
}

func (m cardModel) failed() error {
	if m.on.break_ == nil {
		return nil
	}
	return *m.on.break_
}

func (m cardModel) Steps(context.Context, int64) iter.Seq2[trainer.Stats, error] {
	return func(yield func(trainer.Stats, error) bool) { yield(trainer.Stats{}, m.failed()) }
}

func (m cardModel) Save(*trainer.State) error { return m.failed() }

func (m cardModel) Encode([]float32, int, []bool, []float32, []int32) error { return m.failed() }

func (m cardModel) DecoderRows([]int32, []float32, []float32) error { return m.failed() }

func (m cardModel) Close() error { return errors.Join(m.Model.Close(), m.failed()) }

// cards returns GPUs with that much free memory, and their pool.
func cards(free ...int64) ([]*cardGPU, *gpuPool) {
	var all []*cardGPU
	var gpus []trainer.Backend
	for _, f := range free {
		g := &cardGPU{Backend: cpu.New(1), free: f, class: "A"}
		all, gpus = append(all, g), append(gpus, g)
	}
	return all, newGPUPool(gpus)
}

// placed makes a model and returns the number of its GPU.
func placed(t *testing.T, p trainer.Backend, shared *gpuPool) int {
	t.Helper()
	before := slices.Clone(shared.runs)
	c := poolConfig()
	if _, err := p.New(c, trainer.Init(c), nil); err != nil {
		t.Fatal(err)
	}
	for g, n := range shared.runs {
		if n > before[g] {
			return g
		}
	}
	t.Fatal("no GPU has the model")
	return -1
}

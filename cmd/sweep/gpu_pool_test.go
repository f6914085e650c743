package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

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
	// A run that a GPU cannot hold goes to another one. One that none can hold takes nothing.
	p.gpus[1] = fullGPU{p.gpus[1]}
	m, err := p.New(c, trainer.Init(c), nil)
	if err != nil || !slices.Equal(p.runs, []int{2, 1, 2}) {
		t.Fatalf("%v, %v", p.runs, err)
	}
	m.Close()
	p.gpus[0], p.gpus[2] = fullGPU{p.gpus[0]}, fullGPU{p.gpus[2]}
	_, err = p.New(c, trainer.Init(c), nil)
	if !errors.Is(err, trainer.ErrMemory) || !slices.Equal(p.runs, []int{2, 1, 1}) {
		t.Errorf("%v, %v", p.runs, err)
	}
}

// A panic while a model is made gives the GPU back: the process goes on.
func TestGPUPoolPanic(t *testing.T) {
	p := newGPUPool([]trainer.Backend{panickingGPU{cpu.New(1)}})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		p.New(trainer.Config{}, nil, nil)
	}()
	if p.runs[0] != 0 || p.making[0] != 0 {
		t.Errorf("left over: %v, %v", p.runs, p.making)
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

// A model goes to the GPU with the most free memory that has a free slot.
func TestGPUPoolRanks(t *testing.T) {
	const gib = 1 << 30
	_, p := cards(10*gib, 70*gib, 30*gib)
	p.perGPU = 1
	for i, want := range []int{1, 2, 0, 1} {
		if got := placed(t, p, p); got != want {
			t.Errorf("model %d is on GPU %d, want %d", i, got, want)
		}
	}
	// Models that are being made count, although they have no memory yet.
	gpus, p := cards(8*gib, 8*gib+1)
	gpus[1].making = func() {
		gpus[1].making = nil
		if got := placed(t, p, p); got != 0 {
			t.Errorf("beside a model that is being made on GPU 1, another one is on GPU %d", got)
		}
	}
	c := poolConfig()
	if _, err := p.New(c, trainer.Init(c), nil); err != nil || !slices.Equal(p.runs, []int{1, 1}) {
		t.Errorf("%v, %v", p.runs, err)
	}
	if !slices.Equal(p.making, []int64{0, 0}) {
		t.Errorf("%v bytes are said to be in the making", p.making)
	}
}

// The default of --slots-per-gpu is auto.
func TestSlotsPerGPU(t *testing.T) {
	for text, want := range map[string]int{"": 0, "auto": 0, "1": 1, "16": 16, "0": -1, "-1": -1, "many": -1} {
		var o deviceOptions
		f := pflag.NewFlagSet("x", pflag.ContinueOnError)
		o.addFlags(f)
		var args []string
		if text != "" {
			args = []string{"--slots-per-gpu", text}
		}
		if err := f.Parse(args); (err != nil) != (want < 0) || err == nil && o.perGPU != want {
			t.Errorf("%q: %d, %v", text, o.perGPU, err)
		}
		if use := f.FlagUsages(); text == "" && !strings.Contains(use, "at most 16 (default auto)") {
			t.Errorf("the help:\n%s", use)
		}
	}
}

// One GPU that is busy, too small or broken does not fail a model that another one can hold.
func TestGPUPoolTriesTheNext(t *testing.T) {
	c := poolConfig()
	other := errors.New("the data is gone")
	for name, x := range map[string]struct {
		errs []error
		want error // nil: the last GPU trains
		not  error
	}{
		"one busy":             {[]error{trainer.ErrBusy, nil}, nil, nil},
		"one small":            {[]error{trainer.ErrMemory, nil}, nil, nil},
		"one broken":           {[]error{trainer.ErrBroken, nil}, nil, nil},
		"all busy":             {[]error{trainer.ErrBusy, trainer.ErrBusy}, trainer.ErrBusy, trainer.ErrMemory},
		"busy or small":        {[]error{trainer.ErrMemory, trainer.ErrBusy}, trainer.ErrBusy, trainer.ErrMemory},
		"small or broken":      {[]error{trainer.ErrMemory, trainer.ErrBroken}, trainer.ErrMemory, trainer.ErrBroken},
		"busy or broken":       {[]error{trainer.ErrBroken, trainer.ErrBusy}, trainer.ErrBusy, trainer.ErrBroken},
		"all small":            {[]error{trainer.ErrMemory, trainer.ErrMemory}, trainer.ErrMemory, trainer.ErrBusy},
		"all broken":           {[]error{trainer.ErrBroken, trainer.ErrBroken}, trainer.ErrBroken, trainer.ErrBusy},
		"the data is at fault": {[]error{other, nil}, other, trainer.ErrBroken},
	} {
		gpus, p := cards(2, 1)
		for i, err := range x.errs {
			if err != nil {
				gpus[i].err = fmt.Errorf("GPU %d: %w", i, err)
			}
		}
		_, err := p.New(c, trainer.Init(c), nil)
		if !errors.Is(err, x.want) || x.not != nil && errors.Is(err, x.not) {
			t.Errorf("%s: %v", name, err)
		}
		want := []int{0, 0}
		if x.want == nil {
			want = []int{0, 1}
		}
		if !slices.Equal(p.runs, want) {
			t.Errorf("%s: %v models, want %v", name, p.runs, want)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: the error is not one line: %q", name, err)
		}
	}
}

// A GPU that breaks in training gets no more models, is named once, and the last one ends the process.
func TestGPUPoolSetsAside(t *testing.T) {
	c := poolConfig()
	broken := fmt.Errorf("illegal address: %w", trainer.ErrBroken)
	for name, call := range map[string]func(trainer.Model) error{
		"Steps": func(m trainer.Model) (err error) {
			for _, err = range m.Steps(context.Background(), 1) {
			}
			return err
		},
		"Save":        func(m trainer.Model) error { return m.Save(nil) },
		"Encode":      func(m trainer.Model) error { return m.Encode(nil, 0, nil, nil, nil) },
		"DecoderRows": func(m trainer.Model) error { return m.DecoderRows(nil, nil, nil) },
		"Close":       func(m trainer.Model) error { return m.Close() },
	} {
		gpus, p := cards(2, 1)
		var notes []string
		p.note = func(line string) { notes = append(notes, line) }
		var models []trainer.Model
		for range 2 {
			m, err := p.New(c, trainer.Init(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			models = append(models, m)
		}
		gpus[0].break_ = &broken
		for _, m := range models { // both are on GPU 0
			if err := call(m); !errors.Is(err, trainer.ErrBroken) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if len(notes) != 1 || !strings.Contains(notes[0], "GPU 0 is set aside") || !strings.Contains(notes[0], "illegal") {
			t.Errorf("%s: the user is told %q", name, notes)
		}
		if got := placed(t, p, p); got != 1 {
			t.Errorf("%s: the next model is on GPU %d", name, got)
		}
		select {
		case err := <-p.lost():
			t.Errorf("%s: with a GPU left, all are said to be lost: %v", name, err)
		default:
		}
		gpus[1].err = broken
		if _, err := p.New(c, trainer.Init(c), nil); !errors.Is(err, trainer.ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
		select {
		case err := <-p.lost():
			if !errors.Is(err, trainer.ErrBroken) || !strings.Contains(err.Error(), "no GPU is left") {
				t.Errorf("%s: lost: %v", name, err)
			}
		default:
			t.Errorf("%s: nobody is told that no GPU is left", name)
		}
		if len(notes) != 2 {
			t.Errorf("%s: the user is told %q", name, notes)
		}
	}
}

// The pool of a class has its GPUs only, and shares the counts with the whole pool.
func TestGPUPoolOfClass(t *testing.T) {
	gpus, p := cards(3, 2, 1)
	if one, err := p.OfClass("A"); err != nil || one != trainer.Backend(p) {
		t.Errorf("all are of the class: %v, %v", one, err)
	}
	gpus[0].class = "B"
	as, err := p.OfClass("A")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{1, 1} {
		if got := placed(t, as, p); got != want {
			t.Errorf("model %d of class A is on GPU %d", i, got)
		}
	}
	_, err = p.OfClass("C")
	if !errors.Is(err, trainer.ErrOtherClass) || !strings.Contains(err.Error(), "is B") ||
		!strings.Contains(err.Error(), "is A") || strings.Contains(err.Error(), "\n") {
		t.Errorf("no GPU is of the class: %v", err)
	}
	// A class whose only GPU is set aside is not here any more. The others train on.
	p.setAside(0, trainer.ErrBroken)
	if _, err := p.OfClass("B"); !errors.Is(err, trainer.ErrOtherClass) || errors.Is(err, trainer.ErrBroken) {
		t.Errorf("the only GPU of the class is broken: %v", err)
	}
	p.setAside(1, trainer.ErrBroken)
	p.setAside(2, trainer.ErrBroken)
	if _, err := p.OfClass("A"); !errors.Is(err, trainer.ErrBroken) {
		t.Errorf("all GPUs are broken: %v", err)
	}
}

// The free memory of a pool is that of its best GPU that works. Whoever asks finds GPUs that broke while nothing was on
// them.
func TestGPUPoolFreeMemory(t *testing.T) {
	gpus, p := cards(1, 3, 2)
	broken := fmt.Errorf("illegal address: %w", trainer.ErrBroken)
	for i, want := range []int64{3, 2, 1} { // GPU 1 breaks, then GPU 2
		if i > 0 {
			gpus[i].err = broken
		}
		if got, err := p.FreeMemory(); err != nil || got != want {
			t.Errorf("with %d GPUs that are broken: %d, %v, want %d", i, got, err, want)
		}
	}
	select {
	case err := <-p.lost():
		t.Errorf("with a GPU left, all are said to be lost: %v", err)
	default:
	}
	gpus[0].err = broken
	for range 2 {
		if _, err := p.FreeMemory(); !errors.Is(err, trainer.ErrBroken) || !strings.Contains(err.Error(), "no GPU is left") {
			t.Errorf("all are broken: %v", err)
		}
	}
	select {
	case <-p.lost():
	default:
		t.Error("nobody is told that no GPU is left")
	}
}

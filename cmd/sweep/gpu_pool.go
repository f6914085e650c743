package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/topksweep/sweep/trainer"
)

// A gpuPool is several GPUs as one backend. A model goes to the GPU with the most free memory
// that has a free slot, or else to the next one, and is counted there until it is closed. A GPU
// that breaks gets no more models. The worker decides how many runs there are at a time.
type gpuPool struct {
	*gpuShare
	members []int // numbers of the GPUs of this pool; nil: all
}

// A gpuShare is what the pools of a process share.
type gpuShare struct {
	gpus    []trainer.Backend
	names   []string     // for people
	perGPU  int          // models on a GPU before others get more; 0: any number
	note    func(string) // tells the user about a GPU that is set aside; nil: nobody is told
	allLost chan error

	mu     sync.Mutex
	runs   []int   // models on each GPU
	making []int64 // bytes of those that are being made
	broken []error // why a GPU is set aside
}

func newGPUPool(gpus []trainer.Backend) *gpuPool {
	s := &gpuShare{
		gpus: gpus, runs: make([]int, len(gpus)), making: make([]int64, len(gpus)), broken: make([]error, len(gpus)),
		allLost: make(chan error, 1),
	}
	for g := range gpus {
		s.names = append(s.names, fmt.Sprintf("GPU %d", g))
	}
	return &gpuPool{gpuShare: s}
}

func (p *gpuPool) Name() string                                { return p.gpus[0].Name() }
func (p *gpuPool) Bytes(c trainer.Config) (device, host int64) { return p.gpus[0].Bytes(c) }
func (p *gpuPool) MeasureRoofline() (*trainer.Roofline, error) { return p.gpus[0].MeasureRoofline() }

// numbers returns the numbers of the pool's GPUs.
func (p *gpuPool) numbers() []int {
	if p.members != nil {
		return p.members
	}
	all := make([]int, len(p.gpus))
	for g := range all {
		all[g] = g
	}
	return all
}

// Unsupported implements trainer.Backend. A model may come to any of the GPUs.
func (p *gpuPool) Unsupported(c trainer.Config) error {
	for _, g := range p.numbers() {
		if err := p.gpus[g].Unsupported(c); err != nil {
			return err
		}
	}
	return nil
}

// OfClass implements trainer.Backend. The pools of all classes share the counts.
func (p *gpuPool) OfClass(class string) (trainer.Backend, error) {
	if class == "" {
		return p, nil
	}
	var others, unknown, members = gpuErrors(nil), gpuErrors(nil), []int(nil)
	all := p.numbers()
	for _, g := range all {
		if p.isBroken(g) {
			continue
		}
		_, err := p.gpus[g].OfClass(class)
		switch {
		case err == nil:
			members = append(members, g)
		case errors.Is(err, trainer.ErrOtherClass):
			others = append(others, err)
		case errors.Is(err, trainer.ErrBroken):
			p.setAside(g, err)
		default:
			unknown = append(unknown, err)
		}
	}
	switch {
	case len(members) == len(all):
		return p, nil
	case len(members) > 0:
		return &gpuPool{p.gpuShare, members}, nil
	case len(unknown) > 0:
		return nil, unknown
	case len(others) > 0:
		return nil, others
	}
	return nil, p.noneLeft()
}

// New implements trainer.Backend. The error wraps trainer.ErrBusy if a GPU could hold the model later,
// trainer.ErrMemory if no GPU that works is large enough, and trainer.ErrBroken if none works.
func (p *gpuPool) New(c trainer.Config, s *trainer.State, data trainer.Batches) (trainer.Model, error) {
	need, _ := p.Bytes(c)
	free := p.free()
	var busy, small gpuErrors
	for tried := []int(nil); ; {
		g := p.take(free, tried, need)
		if g < 0 {
			break
		}
		tried = append(tried, g)
		m, err := p.lease(g, need, func() (trainer.Model, error) { return p.gpus[g].New(c, s, data) })
		switch {
		case err == nil:
			return m, nil
		case errors.Is(err, trainer.ErrBroken):
			p.setAside(g, err)
		case errors.Is(err, trainer.ErrBusy):
			busy = append(busy, err)
		case errors.Is(err, trainer.ErrMemory):
			small = append(small, err)
		default:
			return nil, err
		}
	}
	switch {
	case len(busy) > 0:
		return nil, busy
	case len(small) > 0:
		return nil, small
	}
	return nil, p.noneLeft()
}

// FreeMemory implements trainer.FreeMemory: that of the GPU with the most. The error wraps trainer.ErrBroken if no GPU
// works.
func (p *gpuPool) FreeMemory() (int64, error) {
	most := slices.Max(p.free())
	for _, g := range p.numbers() {
		if !p.isBroken(g) {
			return most, nil
		}
	}
	return 0, p.noneLeft()
}

// free returns the free memory of each GPU in bytes, 0 where it is not known. It sets those aside that do not work.
func (p *gpuPool) free() []int64 {
	free := make([]int64, len(p.gpus))
	for _, g := range p.numbers() {
		asked, ok := p.gpus[g].(trainer.FreeMemory)
		if !ok || p.isBroken(g) {
			continue
		}
		var err error
		if free[g], err = asked.FreeMemory(); errors.Is(err, trainer.ErrBroken) {
			p.setAside(g, err)
		}
	}
	return free
}

// take counts a model of so many bytes on the best GPU that was not tried, and returns its number, or −1 if
// there is none: first those that have fewer models than slots, then those with the most memory that neither
// anything on them nor a model in the making has, then those with the fewest models.
func (p *gpuPool) take(free []int64, tried []int, need int64) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	best := -1
	full := func(g int) int {
		if p.perGPU > 0 && p.runs[g] >= p.perGPU {
			return 1
		}
		return 0
	}
	for _, g := range p.numbers() {
		if p.broken[g] != nil || slices.Contains(tried, g) {
			continue
		}
		if best < 0 || cmp.Or(
			cmp.Compare(full(g), full(best)), cmp.Compare(free[best]-p.making[best], free[g]-p.making[g]),
			cmp.Compare(p.runs[g], p.runs[best])) < 0 {
			best = g
		}
	}
	if best >= 0 {
		p.runs[best]++
		p.making[best] += need
	}
	return best
}

// lease makes a model of take. If it cannot, or panics, it gives the GPU back.
func (s *gpuShare) lease(g int, need int64, make func() (trainer.Model, error)) (m trainer.Model, err error) {
	defer func() {
		s.made(g, need)
		if m == nil {
			s.release(g)
		}
	}()
	model, err := make()
	if err != nil {
		return nil, err
	}
	return &leasedModel{Model: model, pool: s, gpu: g, release: sync.OnceFunc(func() { s.release(g) })}, nil
}

// made says that a model of take is made, or could not be.
func (s *gpuShare) made(g int, need int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.making[g] -= need
}

// release says that a model of take is closed.
func (s *gpuShare) release(g int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs[g]--
}

func (s *gpuShare) isBroken(g int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken[g] != nil
}

// check sets a GPU aside whose model met an error that says that it is broken, and returns the error.
func (s *gpuShare) check(g int, err error) error {
	if errors.Is(err, trainer.ErrBroken) {
		s.setAside(g, err)
	}
	return err
}

// setAside gives a GPU no more models. The first call for a GPU tells the user. Behind the last GPU comes the error on
// lost.
func (s *gpuShare) setAside(g int, err error) {
	s.mu.Lock()
	first := s.broken[g] == nil
	if first {
		s.broken[g] = err
	}
	left := slices.ContainsFunc(s.broken, func(err error) bool { return err == nil })
	s.mu.Unlock()
	if !first {
		return
	}
	if s.note != nil {
		s.note(fmt.Sprintf("%s is set aside, it gets no more runs: %v", s.names[g], err))
	}
	if !left {
		s.allLost <- s.noneLeft() // there is room for the one error
	}
}

// lost gets one error when no GPU is left that works. It wraps trainer.ErrBroken.
func (s *gpuShare) lost() <-chan error { return s.allLost }

// noneLeft is the error of a process whose GPUs are all set aside. It wraps trainer.ErrBroken.
func (s *gpuShare) noneLeft() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all gpuErrors
	for _, err := range s.broken {
		if err != nil {
			all = append(all, err)
		}
	}
	return fmt.Errorf("no GPU is left that works: start the program again, and look at nvidia-smi and the kernel's log "+
		"(dmesg) if it goes on: %w", all)
}

// gpuErrors are errors of several GPUs, in one line.
type gpuErrors []error

func (e gpuErrors) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = err.Error()
	}
	return strings.Join(slices.Compact(texts), "; ")
}

func (e gpuErrors) Unwrap() []error { return e }

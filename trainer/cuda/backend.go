//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
	"github.com/topksweep/sweep/trainer/cuda/kernels"
)

// A backend trains on one GPU.
type backend struct {
	ordinal int
	name    string // of the GPU, for people
	gpuState
	broken    atomic.Pointer[error] // why nothing works any more on the GPU
	residents residents
	making    sync.Mutex // held while a model takes memory: two would find the same memory free
}

// New returns the backend on the GPU with that number; the driver counts them from 0. The
// error is a *driver.Unavailable of one line where there is no driver, no such GPU or no cuBLAS
// that starts. It wraps trainer.ErrBroken where the GPU does not work. A GPU whose memory is
// taken now is opened later, when a model is made.
func New(ordinal int) (trainer.Backend, error) {
	b := &backend{ordinal: ordinal, name: fmt.Sprintf("GPU %d", ordinal)}
	b.residents.rows = map[string]*residentRows{}
	if err := b.open(); err != nil && !errors.Is(err, trainer.ErrBusy) {
		return nil, err
	}
	return b, nil
}

func (*backend) Name() string { return "cuda" }

// Bytes implements trainer.Backend. device is what New allocates on the GPU. host is the
// model's pinned memory and one more State for a checkpoint.
func (b *backend) Bytes(c trainer.Config) (device, host int64) {
	z := sizesOf(c)
	var space arena
	layOut(&space, z)
	return space.at + driver.WorkspaceBytes(), c.StateBytes() + z.pinned()
}

// Unsupported implements trainer.Backend. All GPUs that New opens have the same limits.
func (b *backend) Unsupported(c trainer.Config) error { return Unsupported(c) }

// OfClass implements trainer.Backend.
func (b *backend) OfClass(class string) (trainer.Backend, error) {
	if class == "" {
		return b, nil
	}
	if err := b.open(); err != nil {
		return nil, err
	}
	if class != kernels.Class {
		return nil, fmt.Errorf("%w: want %s, %v is %s", trainer.ErrOtherClass, class, b.dev.Info(), kernels.Class)
	}
	return b, nil
}

// New implements trainer.Backend.
func (b *backend) New(c trainer.Config, s *trainer.State, data trainer.Batches) (trainer.Model, error) {
	recipe, err := trainer.RecipeByName(c.Recipe)
	if err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	if err := check(c); err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	if err := b.open(); err != nil {
		return nil, err
	}
	leave, err := b.enter()
	if err != nil {
		return nil, b.fault("cuda", err)
	}
	defer leave()
	m, err := b.make(c, recipe, s, data)
	if err != nil {
		return nil, err
	}
	if data == nil || data.Dataset() == nil {
		return m, nil
	}
	if err := b.makeResident(m, data.Dataset()); err != nil {
		return nil, b.fault("cuda", errors.Join(err, m.Close()))
	}
	return m, nil
}

// make makes a model, if the GPU has room for it.
func (b *backend) make(c trainer.Config, r trainer.Recipe, s *trainer.State, data trainer.Batches) (*model, error) {
	b.making.Lock()
	defer b.making.Unlock()
	if err := b.room(c); err != nil {
		return nil, b.fault("cuda", err)
	}
	if err := checkState(c, s, data == nil); err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	m, err := newModel(b, c, r, s, data)
	if driver.IsOutOfMemory(err) && b.residents.idle.Load() > 0 { // others took memory, or cuBLAS needs more
		if _, err = b.residents.makeRoom(b.dev); err == nil {
			m, err = newModel(b, c, r, s, data)
		}
	}
	if err != nil {
		return nil, b.fault("cuda: "+modelOf(c), err)
	}
	return m, nil
}

// MeasureRoofline implements trainer.Backend. This backend cannot measure it.
func (b *backend) MeasureRoofline() (*trainer.Roofline, error) { return nil, nil }

// maxWidth is that of the kernels: this does not compile if it is not.
var _ [0]struct{} = [4*kernels.MaxD4 - maxWidth]struct{}{}

// check returns an error for a Config that the kernels cannot train.
func check(c trainer.Config) error {
	f := c.DictSize
	if c.ActivationDim < 1 || f < 1 || c.BatchSize < 1 || c.K < 1 || c.K > f || c.KAux < 1 {
		return fmt.Errorf("config is not resolved and valid: %+v", c)
	}
	return Unsupported(c)
}

// checkState returns an error for a State that does not belong to the Config. One of a model that only encodes may lack
// moments.
func checkState(c trainer.Config, s *trainer.State, encodes bool) error {
	d, f := c.ActivationDim, c.DictSize
	parts := []*trainer.Params{&s.W}
	if !encodes || s.HasMoments() {
		parts = append(parts, &s.M, &s.V)
	}
	for _, p := range parts {
		if len(p.WEnc) != f*d || len(p.WDec) != f*d || len(p.BEnc) != f || len(p.BDec) != d || len(s.SinceFired) != f {
			return fmt.Errorf("the state's shapes are not those of activation_dim %d, dict_size %d", d, f)
		}
	}
	return nil
}

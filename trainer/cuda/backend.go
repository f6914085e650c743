//go:build cuda

package cuda

import (
	"errors"
	"fmt"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
	"github.com/topksweep/sweep/trainer/cuda/kernels"
)

// A backend trains on one GPU.
type backend struct {
	dev       *driver.Device
	set       kernels.Set
	residents residents
}

// New returns the backend on the GPU with that number; the driver counts them from 0. The
// error is a *driver.Unavailable of one line where there is no driver or no such GPU.
func New(ordinal int) (trainer.Backend, error) {
	dev, err := driver.Open(ordinal)
	if err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	b := &backend{dev: dev, residents: residents{rows: map[string]*residentRows{}}}
	leave, err := dev.Enter()
	if err == nil {
		defer leave()
		b.set, err = kernels.Load(dev)
	}
	if err != nil {
		return nil, fmt.Errorf("cuda: %w", errors.Join(err, dev.Close()))
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

// Unsupported implements trainer.Backend. All GPUs that New opens have the same limits: it
// refuses those that are too old for tf32 and bf16.
func (b *backend) Unsupported(c trainer.Config) error { return Unsupported(c) }

// OfClass implements trainer.Backend.
func (b *backend) OfClass(string) (trainer.Backend, error) { return b, nil }

// New implements trainer.Backend.
func (b *backend) New(c trainer.Config, s *trainer.State, data trainer.Batches) (trainer.Model, error) {
	recipe, err := trainer.RecipeByName(c.Recipe)
	if err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	if err := check(c); err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	leave, err := b.dev.Enter()
	if err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	defer leave()
	// Compare with the free memory before anything is allocated, so that a model that does
	// not fit fails at once.
	need, _ := b.Bytes(c)
	free, total, err := b.dev.Memory()
	if err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	need += libraryBytes
	if need > free {
		if free, err = b.residents.makeRoom(b.dev); err != nil {
			return nil, fmt.Errorf("cuda: %w", err)
		}
	}
	if need > free {
		return nil, memoryError(&driver.OutOfMemory{Device: b.dev.Info(), Need: need, Free: free}, c, total)
	}
	if err := checkState(c, s, data == nil); err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	m, err := newModel(b, c, recipe, s, data)
	var oom *driver.OutOfMemory
	if errors.As(err, &oom) { // the memory was taken in the meantime
		return nil, memoryError(oom, c, total)
	}
	if err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	if data == nil || data.Dataset() == nil {
		return m, nil
	}
	if err := b.makeResident(m, data.Dataset()); err != nil {
		return nil, fmt.Errorf("cuda: %w", errors.Join(err, m.Close()))
	}
	return m, nil
}

// MeasureRoofline implements trainer.Backend. This backend cannot measure it.
func (b *backend) MeasureRoofline() (*trainer.Roofline, error) { return nil, nil }

// libraryBytes is the memory that is kept free for cuBLAS and the driver, which allocate some
// when they are first used.
const libraryBytes = 256 << 20

func memoryError(oom *driver.OutOfMemory, c trainer.Config, total int64) error {
	return fmt.Errorf("%w for activation_dim %d, dict_size %d, batch_size %d on %v: "+
		"%d MiB needed, %d MiB of %d MiB free; use a smaller dict_size or batch_size, or fewer slots per GPU",
		trainer.ErrMemory, c.ActivationDim, c.DictSize, c.BatchSize, oom.Device, mebibytes(oom.Need), oom.Free>>20,
		total>>20)
}

// mebibytes rounds up.
func mebibytes(n int64) int64 { return (n + 1<<20 - 1) >> 20 }

// maxWidth is that of the kernels: this does not compile if it is not.
var _ [0]struct{} = [4*kernels.MaxD4 - maxWidth]struct{}{}

// check returns an error for a Config that the kernels cannot train.
func check(c trainer.Config) error {
	f := c.DictSize
	if c.ActivationDim < 1 || f < 1 || c.BatchSize < 1 || c.K < 1 || c.K > f || c.KAux < 1 {
		return fmt.Errorf("config is not resolved and valid: %+v", c)
	}
	if _, ok := precisionOf(c.Precision); !ok {
		return fmt.Errorf("precision %q: want f32, tf32 or bf16", c.Precision)
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

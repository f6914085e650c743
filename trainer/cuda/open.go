//go:build cuda

package cuda

import (
	"errors"
	"sync"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
	"github.com/topksweep/sweep/trainer/cuda/kernels"
)

// gpuState is what a backend has once its GPU is open.
type gpuState struct {
	opening sync.Mutex
	dev     *driver.Device
	set     kernels.Set
	blas    int   // version of cuBLAS
	held    int64 // bytes that the driver itself holds, at most
	models  int   // that are not closed
}

// open opens the GPU, unless it is open: its context, the kernels and cuBLAS. A GPU whose memory is taken is tried
// again at the next call.
func (b *backend) open() error {
	if err := b.broken.Load(); err != nil {
		return *err
	}
	b.opening.Lock()
	defer b.opening.Unlock()
	if b.dev != nil {
		return nil
	}
	dev, err := driver.Open(b.ordinal)
	if err != nil {
		return b.fault("cuda", err)
	}
	b.name = dev.Info().String()
	if err := b.prepare(dev); err != nil {
		return b.fault("cuda", errors.Join(err, dev.Close()))
	}
	b.dev = dev
	return nil
}

// prepare loads the kernels and starts cuBLAS.
func (b *backend) prepare(dev *driver.Device) error {
	leave, err := dev.Enter()
	if err != nil {
		return err
	}
	defer leave()
	if b.set, err = kernels.Load(dev); err != nil {
		return err
	}
	if b.blas, err = dev.StartBlas(); err != nil {
		return err
	}
	free, total, err := dev.Memory()
	b.held = min(total-free, mostHeld)
	return err
}

// mostHeld is what a driver holds of a GPU at most, with our kernels and cuBLAS. What is taken
// beyond it belongs to others, and may be given back.
const mostHeld = 1 << 30

// enter is driver.Device.Enter for a GPU that works.
func (b *backend) enter() (leave func(), err error) {
	if err := b.broken.Load(); err != nil {
		return nil, *err
	}
	return b.dev.Enter()
}

// FreeMemory implements trainer.FreeMemory. Rows that no model trains on count as free, since a model that needs their
// memory gets it.
func (b *backend) FreeMemory() (int64, error) {
	if err := b.open(); err != nil {
		return 0, err
	}
	leave, err := b.enter()
	if err != nil {
		return 0, b.fault("cuda", err)
	}
	defer leave()
	free, total, err := b.dev.Memory()
	if err != nil {
		return 0, b.fault("cuda", err)
	}
	return min(free+b.residents.idle.Load(), total), nil
}

// count changes the number of models that are not closed.
func (b *backend) count(by int) {
	b.opening.Lock()
	defer b.opening.Unlock()
	b.models += by
}

// heldNow returns the bytes that the driver itself holds at most. What is taken while we have nothing on the GPU bounds
// them.
func (b *backend) heldNow(free, total int64) int64 {
	rows := b.residents.any()
	b.opening.Lock()
	defer b.opening.Unlock()
	if b.models == 0 && !rows {
		b.held = min(b.held, total-free)
	}
	return b.held
}

// room makes room for a model of c, before anything is allocated. The error is a *tooLarge where the GPU could not hold
// it even if nothing else were there, and a *driver.OutOfMemory where the memory is taken now.
func (b *backend) room(c trainer.Config) error {
	need, _ := b.Bytes(c)
	need += libraryBytes
	free, total, err := b.dev.Memory()
	if err != nil {
		return err
	}
	held := b.heldNow(free, total)
	if need > free {
		if free, err = b.residents.makeRoom(b.dev); err != nil {
			return err
		}
	}
	if need > total-held {
		return &tooLarge{c, b.name, need, free, total, held}
	}
	if need > free {
		return &busy{c, b.name, need, free, total}
	}
	return nil
}

// libraryBytes is the memory that is kept free for cuBLAS and the driver, which allocate some
// when they are first used.
const libraryBytes = 256 << 20

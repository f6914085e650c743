//go:build cuda

package cuda

import (
	"errors"
	"fmt"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// tooLarge is the error of a model that the GPU cannot hold, whatever else is on it. Sizes are bytes.
type tooLarge struct {
	c                       trainer.Config
	gpu                     string
	need, free, total, held int64
}

func (e *tooLarge) Error() string {
	return fmt.Sprintf("%v for %s on %s: %d MiB needed, %d MiB of %d MiB free, of which the driver holds %d MiB; "+
		"use a smaller dict_size or batch_size", trainer.ErrMemory, modelOf(e.c), e.gpu, mebibytes(e.need), e.free>>20,
		e.total>>20, mebibytes(e.held))
}

func (e *tooLarge) Is(target error) bool { return target == trainer.ErrMemory }

// busy is the error of a model for which the GPU has too little free memory now. Sizes are bytes.
type busy struct {
	c                 trainer.Config
	gpu               string
	need, free, total int64
}

func (e *busy) Error() string {
	return fmt.Sprintf("%v for %s on %s: %d MiB needed, %d MiB of %d MiB free; other runs or other programs hold the "+
		"rest: use fewer slots per GPU if it stays so", trainer.ErrBusy, modelOf(e.c), e.gpu, mebibytes(e.need),
		e.free>>20, e.total>>20)
}

func (e *busy) Is(target error) bool { return target == trainer.ErrBusy }

// modelOf names a model by the settings on which its memory depends.
func modelOf(c trainer.Config) string {
	return fmt.Sprintf("activation_dim %d, dict_size %d, batch_size %d", c.ActivationDim, c.DictSize, c.BatchSize)
}

// mebibytes rounds up.
func mebibytes(n int64) int64 { return (n + 1<<20 - 1) >> 20 }

// fault names what failed, and says what an error of the driver means: it wraps trainer.ErrBroken
// where nothing works any more on the GPU, which the backend remembers, and trainer.ErrBusy where
// memory is taken. nil stays nil.
func (b *backend) fault(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, trainer.ErrBroken), errors.Is(err, trainer.ErrBusy):
		return named(what, err)
	case driver.IsBroken(err):
		err = named(what, fmt.Errorf("%s: %w: %w", b.name, trainer.ErrBroken, err))
		b.broken.CompareAndSwap(nil, &err)
	case driver.IsOutOfMemory(err):
		err = named(what, fmt.Errorf("%s: %w: %w", b.name, trainer.ErrBusy, err))
	default:
		err = named(what, err)
	}
	return err
}

func named(what string, err error) error {
	if what == "" {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

// firstBroken returns the first of the errors that says that nothing works any more, since all after it say the same;
// else all of them.
func firstBroken(errs []error) error {
	for _, err := range errs {
		if driver.IsBroken(err) {
			return err
		}
	}
	return errors.Join(errs...)
}

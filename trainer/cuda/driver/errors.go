//go:build cuda

package driver

// #include <cuda.h>
import "C"

import (
	"errors"
	"fmt"

	"gorgonia.org/cu"
)

// Unavailable is the error where no GPU can be used on this machine. It is one line.
type Unavailable struct{ Reason string }

func (e *Unavailable) Error() string { return e.Reason }

// OutOfMemory is the error where a device has too little free memory.
type OutOfMemory struct {
	Device     Info
	Need, Free int64 // bytes
}

func (e *OutOfMemory) Error() string {
	return fmt.Sprintf("%v: out of memory: %s needed, %s of %s free",
		e.Device, mebibytes(e.Need), mebibytes(e.Free), mebibytes(e.Device.Memory))
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20) }

// A Result is the code that a function of the driver returns when it fails (CUresult).
type Result int

func (r Result) Error() string {
	var name, text *C.char
	if C.cuGetErrorName(C.CUresult(r), &name) != 0 || C.cuGetErrorString(C.CUresult(r), &text) != 0 {
		return fmt.Sprintf("CUDA error %d", int(r))
	}
	return fmt.Sprintf("%s (%s)", C.GoString(name), C.GoString(text))
}

func result(r C.CUresult) error {
	if r == 0 {
		return nil
	}
	return Result(r)
}

// op adds the operation's name to an error; nil stays nil.
func op(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

func isOutOfMemory(err error) bool { return errors.Is(err, cu.OutOfMemory) }

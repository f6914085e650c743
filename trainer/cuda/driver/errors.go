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
	For        string // what the memory is for; empty where Need says enough
	Need, Free int64  // bytes; Need is 0 where only the library knows it
}

func (e *OutOfMemory) Error() string {
	of := fmt.Sprintf("%s of %s free", mebibytes(e.Free), mebibytes(e.Device.Memory))
	if e.Need == 0 {
		return fmt.Sprintf("%v: out of memory for %s: %s", e.Device, e.For, of)
	}
	return fmt.Sprintf("%v: out of memory: %s needed, %s", e.Device, mebibytes(e.Need), of)
}

// IsOutOfMemory reports whether an error says that memory is taken: the device's, pinned memory of the
// host, or what the driver or cuBLAS need for themselves.
func IsOutOfMemory(err error) bool {
	return errors.As(err, new(*OutOfMemory)) || errors.Is(err, outOfMemory)
}

// IsBroken reports whether an error says that nothing works any more on a device in this process.
func IsBroken(err error) bool {
	var r Result
	return errors.As(err, &r) && r.broken()
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

// Results that we act upon. The headers of CUDA 12 lack some of those that CUDA 13 has, so they are numbers.
const (
	outOfMemory Result = 2
	noDevice    Result = 100
)

// broken reports whether the result is one after which nothing works any more: the process must end and start again to
// use the device (the descriptions of CUresult in cuda.h), or the device itself is lost.
func (r Result) broken() bool {
	switch r {
	case 46, // DEVICE_UNAVAILABLE
		noDevice, // of a device that was there when the program started
		214,      // ECC_UNCORRECTABLE
		219,      // NVLINK_UNCORRECTABLE
		226,      // CONTAINED: an error that the hardware has contained
		700,      // ILLEGAL_ADDRESS
		702,      // LAUNCH_TIMEOUT
		709,      // CONTEXT_IS_DESTROYED
		710,      // ASSERT
		714,      // HARDWARE_STACK_ERROR
		715,      // ILLEGAL_INSTRUCTION
		716,      // MISALIGNED_ADDRESS
		717,      // INVALID_ADDRESS_SPACE
		718,      // INVALID_PC
		719,      // LAUNCH_FAILED
		721,      // TENSOR_MEMORY_LEAK
		806,      // MPS_RPC_FAILURE
		810,      // MPS_CLIENT_TERMINATED
		911,      // EXTERNAL_DEVICE
		999:      // UNKNOWN, such as of a device that has fallen off the bus
		return true
	}
	return false
}

func result(r C.CUresult) error {
	if r == 0 {
		return nil
	}
	return Result(r)
}

// op adds the operation's name to an error; nil stays nil. An error of package cu becomes a Result.
func op(name string, err error) error {
	if err == nil {
		return nil
	}
	code := cu.Success // of the type that cu does not export
	if errors.As(err, &code) {
		err = Result(code)
	}
	return fmt.Errorf("%s: %w", name, err)
}

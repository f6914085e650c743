//go:build cuda

package driver

// #include <cuda.h>
import "C"

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"
)

// A Ptr is an address in a device's memory; 0 is none.
type Ptr uint64

// Add returns the address n bytes on.
func (p Ptr) Add(n int64) Ptr { return p + Ptr(n) }

// Memory returns how much of the device's memory is free, and how much there is.
func (d *Device) Memory() (free, total int64, err error) {
	free, total, err = cu.MemInfo()
	return free, total, op("memory of "+d.info.String(), err)
}

// Alloc takes memory on the device; what it holds is undefined. Where there is not
// enough the error is *OutOfMemory.
func (d *Device) Alloc(bytes int64) (Ptr, error) {
	p, err := cu.MemAlloc(max(bytes, 1))
	if isOutOfMemory(err) {
		free, _, _ := cu.MemInfo()
		return 0, &OutOfMemory{Device: d.info, Need: bytes, Free: free}
	}
	return Ptr(p), op(fmt.Sprintf("allocate %d bytes on %v", bytes, d.info), err)
}

// Free gives memory back that Alloc gave; freeing 0 does nothing.
func (d *Device) Free(p Ptr) error {
	if p == 0 {
		return nil
	}
	return op("free", cu.MemFree(cu.DevicePtr(p)))
}

// Upload copies any host memory to the device and waits for it.
func (d *Device) Upload(dst Ptr, src []byte) error {
	if len(src) == 0 {
		return nil
	}
	if err := cu.MemcpyHtoD(cu.DevicePtr(dst), unsafe.Pointer(&src[0]), int64(len(src))); err != nil {
		return op(fmt.Sprintf("upload %d bytes", len(src)), err)
	}
	// The copy returns when the host's memory may be reused; our streams do not
	// wait for the rest of it by themselves.
	return op("upload", cu.Synchronize())
}

// Download waits for the device, then copies its memory to any host memory.
func (d *Device) Download(dst []byte, src Ptr) error {
	if len(dst) == 0 {
		return nil
	}
	// Our streams are not ordered with the copy's.
	if err := cu.Synchronize(); err != nil {
		return op("download", err)
	}
	return op(fmt.Sprintf("download %d bytes", len(dst)), cu.MemcpyDtoH(unsafe.Pointer(&dst[0]), cu.DevicePtr(src), int64(len(dst))))
}

// Pinned takes host memory that the device reads and writes by itself, as
// asynchronous copies need it. It is not Go's: FreePinned gives it back.
func (d *Device) Pinned(bytes int64) ([]byte, error) {
	var p unsafe.Pointer
	if err := result(C.cuMemHostAlloc(&p, C.size_t(max(bytes, 1)), 0)); err != nil {
		return nil, fmt.Errorf("pin %d bytes of host memory: %w", bytes, err)
	}
	return unsafe.Slice((*byte)(p), bytes), nil
}

// FreePinned gives back what Pinned gave.
func (d *Device) FreePinned(b []byte) error {
	if cap(b) == 0 {
		return nil
	}
	return op("free pinned memory", cu.MemFreeHost(unsafe.Pointer(unsafe.SliceData(b))))
}

// Bytes is the memory of a slice of numbers.
func Bytes[T int32 | uint32 | int64 | uint64 | float32 | float64 | uint16 | uint8](s []T) []byte {
	var t T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(t)))
}

// View is Bytes the other way: pinned memory as numbers.
func View[T int32 | uint32 | int64 | uint64 | float32 | float64 | uint16](b []byte) []T {
	var t T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(t)))
}

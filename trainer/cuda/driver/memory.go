//go:build cuda

package driver

// #include <cuda.h>
import "C"

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"
)

// A Ptr is an address in a device's memory, or 0 for none.
type Ptr uint64

// Add returns the address n bytes further.
func (p Ptr) Add(n int64) Ptr { return p + Ptr(n) }

// Memory returns the device's free memory and its whole memory, in bytes.
func (d *Device) Memory() (free, total int64, err error) {
	free, total, err = cu.MemInfo()
	return free, total, op("memory of "+d.info.String(), err)
}

// Alloc allocates memory on the device. Its content is undefined. The error is
// *OutOfMemory where too little is free.
func (d *Device) Alloc(bytes int64) (Ptr, error) {
	p, err := cu.MemAlloc(max(bytes, 1))
	if isOutOfMemory(err) {
		free, _, _ := cu.MemInfo()
		return 0, &OutOfMemory{Device: d.info, Need: bytes, Free: free}
	}
	return Ptr(p), op(fmt.Sprintf("allocate %d bytes on %v", bytes, d.info), err)
}

// Free frees memory of Alloc. Freeing 0 does nothing.
func (d *Device) Free(p Ptr) error {
	if p == 0 {
		return nil
	}
	return op("free", cu.MemFree(cu.DevicePtr(p)))
}

// Upload copies host memory of any kind to the device and waits until it is there.
func (d *Device) Upload(dst Ptr, src []byte) error {
	if len(src) == 0 {
		return nil
	}
	if err := cu.MemcpyHtoD(cu.DevicePtr(dst), unsafe.Pointer(&src[0]), int64(len(src))); err != nil {
		return op(fmt.Sprintf("upload %d bytes", len(src)), err)
	}
	// MemcpyHtoD returns as soon as the host's memory may be reused, and our streams do
	// not wait for it: so wait here.
	return op("upload", cu.Synchronize())
}

// Download waits for all work on the device, then copies its memory to host memory of
// any kind.
func (d *Device) Download(dst []byte, src Ptr) error {
	if len(dst) == 0 {
		return nil
	}
	// The copy does not wait for our streams.
	if err := cu.Synchronize(); err != nil {
		return op("download", err)
	}
	err := cu.MemcpyDtoH(unsafe.Pointer(&dst[0]), cu.DevicePtr(src), int64(len(dst)))
	return op(fmt.Sprintf("download %d bytes", len(dst)), err)
}

// Pinned allocates pinned host memory, which asynchronous copies need: the device reads
// and writes it by itself. It is not garbage-collected; FreePinned frees it.
func (d *Device) Pinned(bytes int64) ([]byte, error) {
	var p unsafe.Pointer
	if err := result(C.cuMemHostAlloc(&p, C.size_t(max(bytes, 1)), 0)); err != nil {
		return nil, fmt.Errorf("pin %d bytes of host memory: %w", bytes, err)
	}
	return unsafe.Slice((*byte)(p), bytes), nil
}

// FreePinned frees memory of Pinned. Freeing nil does nothing.
func (d *Device) FreePinned(b []byte) error {
	if cap(b) == 0 {
		return nil
	}
	return op("free pinned memory", cu.MemFreeHost(unsafe.Pointer(unsafe.SliceData(b))))
}

// Bytes returns the memory of a slice of numbers.
func Bytes[T int32 | uint32 | int64 | uint64 | float32 | float64 | uint16 | uint8](s []T) []byte {
	var t T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(t)))
}

// View returns memory as a slice of numbers: the inverse of Bytes.
func View[T int32 | uint32 | int64 | uint64 | float32 | float64 | uint16](b []byte) []T {
	var t T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(t)))
}

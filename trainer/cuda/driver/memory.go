//go:build cuda

package driver

// #include <cuda.h>
import "C"

import (
	"errors"
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
	if err == cu.OutOfMemory {
		return 0, d.outOfMemory("", bytes)
	}
	if err == nil {
		d.count(Ptr(p), bytes)
	}
	return Ptr(p), op(fmt.Sprintf("allocate %d bytes on %v", bytes, d.info), err)
}

// Free frees memory of Alloc. Freeing 0 does nothing.
func (d *Device) Free(p Ptr) error {
	if p == 0 {
		return nil
	}
	err := cu.MemFree(cu.DevicePtr(p))
	if err == nil {
		d.count(p, 0)
	}
	return op("free", err)
}

// count notes that an allocation has so many bytes now; 0 for one that was freed.
func (d *Device) count(p Ptr, bytes int64) {
	d.counting.Lock()
	defer d.counting.Unlock()
	d.allocated += bytes - d.sizes[p]
	d.sizes[p] = bytes
	if bytes == 0 {
		delete(d.sizes, p)
	}
}

// Allocated returns the bytes that Alloc was asked for and Free has not freed. The driver itself takes more: it rounds
// allocations up to parts of 2 MiB, and Memory tells what is left.
func (d *Device) Allocated() int64 {
	d.counting.Lock()
	defer d.counting.Unlock()
	return d.allocated
}

// outOfMemory is the error of an operation that needs bytes of memory.
func (d *Device) outOfMemory(what string, bytes int64) error {
	free, _, err := cu.MemInfo()
	if err != nil { // the memory is not what it lacks
		return op("memory of "+d.info.String(), err)
	}
	return &OutOfMemory{Device: d.info, For: what, Need: bytes, Free: free}
}

// Upload copies host memory of any kind to the device and waits until it is there. It does not wait for work on other
// streams.
func (d *Device) Upload(dst Ptr, src []byte) error {
	return d.through(len(src), func(s *Stream, part []byte, at int) error {
		copy(part, src[at:])
		return errors.Join(s.Upload(dst.Add(int64(at)), part), s.Synchronize())
	})
}

// Download copies the device's memory to host memory of any kind. It does not wait for work on other streams: what
// writes the memory must be done.
func (d *Device) Download(dst []byte, src Ptr) error {
	return d.through(len(dst), func(s *Stream, part []byte, at int) error {
		err := errors.Join(s.Download(part, src.Add(int64(at))), s.Synchronize())
		copy(dst[at:], part)
		return err
	})
}

// throughBytes is the pinned memory of Upload and Download.
const throughBytes = 8 << 20

// through calls move for each part of n bytes that begins at a byte, with a stream of its own and with pinned
// memory for the part. The default stream cannot serve: CUDA refuses it while others capture.
func (d *Device) through(n int, move func(s *Stream, part []byte, at int) error) (err error) {
	if n == 0 {
		return nil
	}
	s, err := d.Stream()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	pinned, err := d.Pinned(int64(min(n, throughBytes)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.FreePinned(pinned)) }()
	for at := 0; at < n; at += len(pinned) {
		if err := move(s, pinned[:min(len(pinned), n-at)], at); err != nil {
			return err
		}
	}
	return nil
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

package cpu

import (
	"syscall"
	"unsafe"
)

const (
	hugePage      = 2 << 20
	madvHugePage  = 14 // MADV_HUGEPAGE, linux/mman.h
	bytesPerFloat = 4
)

// alloc returns n zeros. It asks the system for huge pages, because the backward phase
// reads rows in so many small pages that the processor cannot keep all their addresses.
// Without huge pages, it is only slower.
func alloc(n int) []float32 {
	s := make([]float32, n)
	if n*bytesPerFloat < 2*hugePage {
		return s
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), n*bytesPerFloat)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(s))) & (hugePage - 1))
	whole := (len(b) - skip) &^ (hugePage - 1)
	_ = syscall.Madvise(b[skip:skip+whole], madvHugePage)
	return s
}

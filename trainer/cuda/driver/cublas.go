//go:build cuda

package driver

// #include "cublas.h"
// #cgo noescape sweep_blas_gemm
// #cgo nocallback sweep_blas_gemm
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// workspace is the number of bytes that cuBLAS recommends for Hopper. Other GPUs need
// less, but cuBLAS chooses its algorithm by the size too, and the algorithm decides the
// bits: so the size is the same everywhere.
const workspace = 32 << 20

// A Blas multiplies matrices for one model. Equal calls give equal bits on GPUs of one
// kind. Only one stream may use it at a time: two would write to one workspace.
type Blas struct {
	handle    unsafe.Pointer
	device    *Device
	workspace Ptr
	stream    *Stream // the stream that the handle is set to
	Version   int     // version of the library: 12040 is 12.4
}

// Blas opens cuBLAS, as StartBlas says.
func (d *Device) Blas() (*Blas, error) {
	version, err := d.StartBlas()
	if err != nil {
		return nil, err
	}
	w, err := d.Alloc(workspace)
	if err != nil {
		return nil, err
	}
	b := &Blas{device: d, workspace: w, Version: version}
	if b.handle, err = d.takeHandle(); err != nil {
		return nil, errors.Join(err, d.Free(w))
	}
	return b, nil
}

// WorkspaceBytes is the device memory that a Blas allocates.
func WorkspaceBytes() int64 { return workspace }

// Close frees the workspace. The device keeps the library's handle for the next Blas: the library
// waits for the whole device when it makes or frees one.
func (b *Blas) Close() error {
	b.device.keepHandle(b.handle)
	return b.device.Free(b.workspace)
}

// GemmSpec describes C = Alpha·op(A)·op(B) + Beta·C, where op transposes or not. All
// matrices are column-major, in float16: op(A) is M by K, op(B) is K by N, C is M by N. LDA,
// LDB and LDC are the distances, in numbers, from one stored column to the next.
type GemmSpec struct {
	TransA, TransB bool
	M, N, K        int
	A, B, C        Ptr
	LDA, LDB, LDC  int
	Alpha, Beta    float32
}

// Gemm puts a matrix product on the stream. Its sums are in float32, also where the library
// adds several parts of one.
func (b *Blas) Gemm(s *Stream, g GemmSpec) error {
	c := C.sweep_gemm{
		a: C.size_t(g.A), b: C.size_t(g.B), c: C.size_t(g.C),
		m: C.int(g.M), n: C.int(g.N), k: C.int(g.K), lda: C.int(g.LDA), ldb: C.int(g.LDB), ldc: C.int(g.LDC),
		transa: flag(g.TransA), transb: flag(g.TransB),
		alpha: C.float(g.Alpha), beta: C.float(g.Beta),
	}
	if b.stream != s {
		r := C.sweep_blas_use(b.device.library, b.handle, unsafe.Pointer(s.raw()), C.size_t(b.workspace), workspace)
		if r != 0 {
			return b.device.blasError(b.device.library, r, "set stream")
		}
		b.stream = s
	}
	if r := C.sweep_blas_gemm(b.device.library, b.handle, &c); r != 0 {
		return b.device.blasError(b.device.library, r, fmt.Sprintf("product of %d×%d×%d", g.M, g.N, g.K))
	}
	return nil
}

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

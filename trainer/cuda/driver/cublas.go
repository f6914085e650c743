//go:build cuda

package driver

// #include "cublas.h"
// #cgo noescape sweep_blas_gemm
// #cgo nocallback sweep_blas_gemm
import "C"

import (
	"fmt"
	"unsafe"
)

// Type is how numbers are stored (cudaDataType).
type Type int32

const (
	F32  Type = 0
	BF16 Type = 14
)

// Compute is how products are taken (cublasComputeType_t); sums are in float32.
type Compute int32

const (
	ComputeF32  Compute = 68
	ComputeTF32 Compute = 77 // factors rounded to 10 bits of mantissa; F32 only
)

// workspace is what cuBLAS recommends for Hopper; less for others, but the size
// has a part in which algorithm is taken, and so in the bits.
const workspace = 32 << 20

// A Blas multiplies matrices for one model: equal calls give equal bits on equal
// GPUs. Two streams do not use it at once, since they would share its workspace.
type Blas struct {
	handle    unsafe.Pointer
	device    *Device
	workspace Ptr
	stream    *Stream // that the handle is set to
	Version   int     // of the library: 12040 is 12.4
}

// Blas opens cuBLAS, whose newest version from 13 to 11 is taken.
func (d *Device) Blas() (*Blas, error) {
	var why *C.char
	if C.sweep_blas_load(&why) == 0 {
		text := C.GoString(why)
		if text == "" {
			text = "install it, or name its folder in LD_LIBRARY_PATH"
		}
		return nil, &Unavailable{"no cuBLAS (libcublas.so.13, .12 or .11): " + text}
	}
	w, err := d.Alloc(workspace)
	if err != nil {
		return nil, err
	}
	b := &Blas{device: d, workspace: w, Version: int(C.sweep_blas_version())}
	if r := C.sweep_blas_create(&b.handle); r != 0 {
		d.Free(w)
		return nil, fmt.Errorf("open cuBLAS %d on %v: %s", b.Version/1000, d.info, C.GoString(C.sweep_blas_text(r)))
	}
	return b, nil
}

// WorkspaceBytes is what a Blas takes of the device's memory.
func WorkspaceBytes() int64 { return workspace }

// Close gives the library's handle and the workspace back.
func (b *Blas) Close() error {
	if r := C.sweep_blas_destroy(b.handle); r != 0 {
		return fmt.Errorf("close cuBLAS: %s", C.GoString(C.sweep_blas_text(r)))
	}
	return b.device.Free(b.workspace)
}

// GemmSpec is C = Alpha·op(A)·op(B) + Beta·C, all column-major: op(A) is M by K,
// op(B) K by N, C M by N. LD is the distance of two columns as stored.
type GemmSpec struct {
	TransA, TransB      bool
	M, N, K             int
	A, B, C             Ptr
	LDA, LDB, LDC       int
	TypeA, TypeB, TypeC Type
	Compute             Compute // 0 is ComputeF32
	Alpha, Beta         float32
}

// Gemm gives a product to the stream.
func (b *Blas) Gemm(s *Stream, g GemmSpec) error {
	if g.Compute == 0 {
		g.Compute = ComputeF32
	}
	c := C.sweep_gemm{
		a: C.size_t(g.A), b: C.size_t(g.B), c: C.size_t(g.C),
		m: C.int(g.M), n: C.int(g.N), k: C.int(g.K), lda: C.int(g.LDA), ldb: C.int(g.LDB), ldc: C.int(g.LDC),
		transa: flag(g.TransA), transb: flag(g.TransB), typea: C.int(g.TypeA), typeb: C.int(g.TypeB), typec: C.int(g.TypeC),
		compute: C.int(g.Compute), alpha: C.float(g.Alpha), beta: C.float(g.Beta),
	}
	if b.stream != s {
		if r := C.sweep_blas_use(b.handle, unsafe.Pointer(s.raw()), C.size_t(b.workspace), workspace); r != 0 {
			return fmt.Errorf("cuBLAS: set stream: %s", C.GoString(C.sweep_blas_text(r)))
		}
		b.stream = s
	}
	if r := C.sweep_blas_gemm(b.handle, &c); r != 0 {
		return fmt.Errorf("cuBLAS product of %d×%d×%d: %s", g.M, g.N, g.K, C.GoString(C.sweep_blas_text(r)))
	}
	return nil
}

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

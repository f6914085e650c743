//go:build cuda

package driver

/*
#include <cuda.h>
#include <stdint.h>

#cgo noescape sweep_launch
#cgo nocallback sweep_launch
// One call a launch: the arguments travel as words of 8 bytes.
static CUresult sweep_launch(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                             unsigned shared, CUstream s, uint64_t *words, int n) {
	void *p[24];
	for (int i = 0; i < n; i++) p[i] = &words[i];
	return cuLaunchKernel(f, gx, gy, gz, bx, by, bz, shared, s, p, 0);
}

static CUresult sweep_load(CUmodule *m, const void *image, char *log, unsigned n) {
	CUjit_option options[2] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
	void *values[2] = {log, (void *)(uintptr_t)n};
	return cuModuleLoadDataEx(m, image, 2, options, values);
}
*/
import "C"

import (
	"fmt"
	"math"
	"unsafe"

	"gorgonia.org/cu"
)

// A Module is a loaded file of kernels.
type Module struct{ m cu.Module }

// Load compiles PTX for the device.
func (d *Device) Load(ptx []byte) (*Module, error) {
	image := append(ptx[:len(ptx):len(ptx)], 0)
	var log [4096]byte
	m := &Module{}
	// cu.Module holds the CUmodule alone; its own loader keeps no log.
	if err := result(C.sweep_load((*C.CUmodule)(unsafe.Pointer(&m.m)), unsafe.Pointer(&image[0]), (*C.char)(unsafe.Pointer(&log[0])), C.uint(len(log)))); err != nil {
		return nil, fmt.Errorf("load PTX on %v: %w\n%s", d.info, err, C.GoString((*C.char)(unsafe.Pointer(&log[0]))))
	}
	return m, nil
}

// Close unloads the module.
func (m *Module) Close() error { return op("unload module", m.m.Unload()) }

// A Function is a kernel.
type Function struct {
	f    C.CUfunction
	name string
}

// Function finds a kernel by its name.
func (m *Module) Function(name string) (Function, error) {
	f, err := m.m.Function(name)
	// cu.Function holds the CUfunction alone.
	return Function{*(*C.CUfunction)(unsafe.Pointer(&f)), name}, op("kernel "+name, err)
}

// AllowShared lets launches of f take up to so many bytes of dynamic shared
// memory, where that is more than 48 KB.
func (f Function) AllowShared(bytes int) error {
	return op(fmt.Sprintf("%d bytes of shared memory for %s", bytes, f.name), result(C.cuFuncSetAttribute(f.f, C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(bytes))))
}

// Shape is the extent of a launch.
type Shape struct {
	Grid, Block [3]uint32 // blocks; threads a block. An extent of 0 stands for 1
	Shared      uint32    // bytes of dynamic shared memory
}

// Linear is a Shape of one dimension.
func Linear(blocks, threads int, shared int) Shape {
	return Shape{Grid: [3]uint32{uint32(blocks)}, Block: [3]uint32{uint32(threads)}, Shared: uint32(shared)}
}

// Args are a kernel's arguments, in order.
type Args struct {
	words [24]uint64
	n     int
}

func (a *Args) add(w uint64) *Args { a.words[a.n] = w; a.n++; return a }

func (a *Args) Ptr(p Ptr) *Args     { return a.add(uint64(p)) }
func (a *Args) I32(v int32) *Args   { return a.add(uint64(uint32(v))) }
func (a *Args) U32(v uint32) *Args  { return a.add(uint64(v)) }
func (a *Args) I64(v int64) *Args   { return a.add(uint64(v)) }
func (a *Args) U64(v uint64) *Args  { return a.add(v) }
func (a *Args) F32(v float32) *Args { return a.add(uint64(math.Float32bits(v))) }
func (a *Args) F64(v float64) *Args { return a.add(math.Float64bits(v)) }

// Launch runs a kernel. It does not wait for it; the arguments are copied.
func (s *Stream) Launch(f Function, shape Shape, args *Args) error {
	g, b := shape.Grid, shape.Block
	r := C.sweep_launch(f.f, extent(g[0]), extent(g[1]), extent(g[2]), extent(b[0]), extent(b[1]), extent(b[2]), C.uint(shape.Shared),
		C.CUstream(unsafe.Pointer(s.s.C())), (*C.uint64_t)(&args.words[0]), C.int(args.n))
	if r != 0 {
		return fmt.Errorf("launch %s %+v: %w", f.name, shape, Result(r))
	}
	return nil
}

func extent(n uint32) C.uint { return C.uint(max(n, 1)) }

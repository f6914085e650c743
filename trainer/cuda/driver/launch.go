//go:build cuda

package driver

/*
#include <cuda.h>
#include <stdint.h>

// MAX_ARGS is maxArgs of Go.
enum { MAX_ARGS = 32 };

#cgo noescape sweep_launch
#cgo nocallback sweep_launch
// sweep_launch is the one call of cgo that a launch costs. The arguments come as words
// of 8 bytes. A null pointer ends the list that the driver gets, so that the emulation
// can count them; a real driver reads as many as the kernel has parameters.
static CUresult sweep_launch(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                             unsigned shared, CUstream s, uint64_t *words, int n) {
	void *p[MAX_ARGS + 1];
	for (int i = 0; i < n; i++) p[i] = &words[i];
	p[n] = 0;
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

// Load compiles PTX for the device. The error holds the compiler's log.
func (d *Device) Load(ptx []byte) (*Module, error) {
	image := append(ptx[:len(ptx):len(ptx)], 0) // C wants a string that ends with 0
	var log [4096]byte
	text := (*C.char)(unsafe.Pointer(&log[0]))
	m := &Module{}
	// cu's own loader keeps no log. A cu.Module is a struct with a CUmodule as its only
	// field, so that its address can stand for the CUmodule's.
	module := (*C.CUmodule)(unsafe.Pointer(&m.m))
	if err := result(C.sweep_load(module, unsafe.Pointer(&image[0]), text, C.uint(len(log)))); err != nil {
		return nil, fmt.Errorf("load PTX on %v: %w\n%s", d.info, err, C.GoString(text))
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
	// A cu.Function, too, is a struct with a CUfunction as its only field.
	return Function{*(*C.CUfunction)(unsafe.Pointer(&f)), name}, op("kernel "+name, err)
}

// AllowShared lets launches of f use that many bytes of dynamic shared memory. A
// kernel may use 48 KB without it.
func (f Function) AllowShared(bytes int) error {
	r := C.cuFuncSetAttribute(f.f, C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(bytes))
	return op(fmt.Sprintf("%d bytes of shared memory for %s", bytes, f.name), result(r))
}

// A Grid says how many threads a launch runs. A dimension of 0 stands for 1.
type Grid struct {
	Blocks  [3]uint32 // blocks in the grid
	Threads [3]uint32 // threads in each block
	Shared  uint32    // bytes of dynamic shared memory of each block
}

// Linear is a Grid of one dimension.
func Linear(blocks, threads int) Grid {
	return Grid{Blocks: [3]uint32{uint32(blocks)}, Threads: [3]uint32{uint32(threads)}}
}

// An Arg is an argument of a kernel: a Ptr, I32, I64, F32 or F64. It must have the
// type of the kernel's parameter. A kernel takes a bool as an I32.
type Arg interface{ word() uint64 }

type (
	I32 int32
	I64 int64
	F32 float32
	F64 float64
)

func (p Ptr) word() uint64 { return uint64(p) }
func (v I32) word() uint64 { return uint64(uint32(v)) }
func (v I64) word() uint64 { return uint64(v) }
func (v F32) word() uint64 { return uint64(math.Float32bits(float32(v))) }
func (v F64) word() uint64 { return math.Float64bits(float64(v)) }

// maxArgs is the most arguments that a kernel may have.
const maxArgs = C.MAX_ARGS

// Launch runs a kernel, with the arguments in the order of its parameters. It copies
// the arguments and does not wait for the kernel.
func (s *Stream) Launch(f Function, g Grid, args ...Arg) error {
	if len(args) > maxArgs {
		return fmt.Errorf("launch %s: %d arguments, a kernel has at most %d", f.name, len(args), maxArgs)
	}
	var words [maxArgs]uint64
	for i, a := range args {
		words[i] = a.word()
	}
	size := func(n uint32) C.uint { return C.uint(max(n, 1)) }
	r := C.sweep_launch(f.f, size(g.Blocks[0]), size(g.Blocks[1]), size(g.Blocks[2]),
		size(g.Threads[0]), size(g.Threads[1]), size(g.Threads[2]), C.uint(g.Shared),
		C.CUstream(unsafe.Pointer(s.s.C())), (*C.uint64_t)(&words[0]), C.int(len(args)))
	if r != 0 {
		return fmt.Errorf("launch %s %+v: %w", f.name, g, Result(r))
	}
	return nil
}

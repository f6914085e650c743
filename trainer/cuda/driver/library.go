//go:build cuda

package driver

// #include <stdlib.h>
// #include "cublas.h"
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"gorgonia.org/cu"
)

// Statuses of cuBLAS (cublasStatus_t).
const (
	blasNotInitialized = 1
	blasAllocFailed    = 3
)

// blasBytes is the free memory with which cuBLAS is known to start. With less, a failure to start proves nothing.
const blasBytes = 256 << 20

// libraries are where cuBLAS may be, in the order in which they are tried: first wherever the dynamic linker
// looks, then where a toolkit is usually installed.
func libraries() []string {
	var names []string
	for _, folder := range []string{"", "/usr/local/cuda/lib64/"} {
		for _, version := range []int{13, 12, 11} {
			names = append(names, fmt.Sprintf("%slibcublas.so.%d", folder, version))
		}
	}
	return names
}

// StartBlas starts cuBLAS on the device and returns its version: 12040 is 12.4. It takes the first of version
// 13, 12 and 11 that starts, and keeps to it. The error is *Unavailable where none does, and says why each
// does not. It is *OutOfMemory where the memory is taken.
func (d *Device) StartBlas() (version int, err error) {
	d.blas.Lock()
	defer d.blas.Unlock()
	if d.library != nil {
		return int(C.sweep_blas_version(d.library)), nil
	}
	var reasons []string
	for _, name := range libraries() {
		lib, why := openLibrary(name)
		if lib == nil {
			if why != "" {
				reasons = append(reasons, why)
			}
			continue
		}
		version := int(C.sweep_blas_version(lib))
		handle, err := d.newHandle(lib)
		if err == nil {
			d.library, d.idle = lib, append(d.idle, handle)
			return version, nil
		}
		C.sweep_blas_close(lib)
		if IsOutOfMemory(err) || IsBroken(err) {
			return 0, err
		}
		reasons = append(reasons, fmt.Sprintf("%s: %v", name, err))
	}
	if len(reasons) == 0 {
		reasons = []string{"install it, or name its folder in LD_LIBRARY_PATH"}
	}
	return 0, &Unavailable{"no cuBLAS (libcublas.so.13, .12 or .11): " + strings.Join(reasons, "; ")}
}

// openLibrary loads a library. Without one, why is empty where there is none of that name.
func openLibrary(name string) (lib *C.sweep_blas, why string) {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	var text [1024]byte
	lib = C.sweep_blas_open(c, (*C.char)(unsafe.Pointer(&text[0])), C.size_t(len(text)))
	return lib, C.GoString((*C.char)(unsafe.Pointer(&text[0])))
}

// takeHandle returns a handle that no Blas has.
func (d *Device) takeHandle() (unsafe.Pointer, error) {
	d.blas.Lock()
	defer d.blas.Unlock()
	if n := len(d.idle); n > 0 {
		h := d.idle[n-1]
		d.idle = d.idle[:n-1]
		return h, nil
	}
	return d.newHandle(d.library)
}

func (d *Device) keepHandle(h unsafe.Pointer) {
	d.blas.Lock()
	defer d.blas.Unlock()
	d.idle = append(d.idle, h)
}

// newHandle makes a handle. No stream captures meanwhile.
func (d *Device) newHandle(lib *C.sweep_blas) (h unsafe.Pointer, err error) {
	d.captures.Lock()
	defer d.captures.Unlock()
	r := C.sweep_blas_create(lib, &h)
	return h, d.blasError(lib, r, "start")
}

// closeBlas frees all handles.
func (d *Device) closeBlas() error {
	d.blas.Lock()
	defer d.blas.Unlock()
	if d.library == nil {
		return nil
	}
	leave, err := d.Enter()
	if err != nil {
		return err
	}
	defer leave()
	d.captures.Lock()
	defer d.captures.Unlock()
	var errs []error
	for _, h := range d.idle {
		errs = append(errs, d.blasError(d.library, C.sweep_blas_destroy(d.library, h), "close"))
	}
	d.idle = nil
	return errors.Join(errs...)
}

// blasError returns the error of a status of cuBLAS, which hides what the device says: so the device is asked.
func (d *Device) blasError(lib *C.sweep_blas, status C.int, what string) error {
	if status == 0 {
		return nil
	}
	text := fmt.Sprintf("cuBLAS %d on %v: %s: %s", C.sweep_blas_version(lib)/1000, d.info, what,
		C.GoString(C.sweep_blas_text(lib, status)))
	free, _, err := cu.MemInfo()
	switch {
	case err != nil:
		return op(text, err)
	case status == blasAllocFailed, status == blasNotInitialized && free < blasBytes:
		return &OutOfMemory{Device: d.info, For: fmt.Sprintf("cuBLAS (%s)", what), Free: free}
	}
	return errors.New(text)
}

//go:build cuda

package driver

// #include <stdlib.h>
// #include "nvml.h"
import "C"

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"
)

// A Usage is what NVML says of a GPU at a moment. What it does not know is negative.
type Usage struct {
	UUID        string
	Used, Total int64   // bytes of memory, of all processes
	Busy        float64 // share of the last sample in which a kernel ran, 0 to 1
	Celsius     float64
	Watts       float64
}

// ReadUsage asks NVML about the GPU with that Info.Ordinal. The error says why NVML cannot tell. It may be called from
// many goroutines.
func ReadUsage(ordinal int) (Usage, error) {
	if why := C.sweep_nvml_open(); why != nil {
		return Usage{}, fmt.Errorf("no NVML: %s", C.GoString(why))
	}
	// The driver's own name of the GPU, since NVML numbers the GPUs otherwise, and CUDA_VISIBLE_DEVICES is not for it.
	id, err := cu.Device(ordinal).UUID()
	if err != nil {
		return Usage{}, op(fmt.Sprintf("GPU %d", ordinal), err)
	}
	var u C.sweep_usage
	status := C.int(0)
	for _, kind := range []string{"GPU-", "MIG-"} {
		name := C.CString(kind + id.String())
		status = C.sweep_nvml_read(name, &u)
		C.free(unsafe.Pointer(name))
		if status == 0 {
			return Usage{
				UUID: kind + id.String(), Used: int64(u.used), Total: int64(u.total), Busy: float64(u.busy) / 100,
				Celsius: float64(u.celsius), Watts: float64(u.milliwatts) / 1000,
			}, nil
		}
	}
	return Usage{}, fmt.Errorf("GPU %d: NVML does not know it: status %d", ordinal, int(status))
}

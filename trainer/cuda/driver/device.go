//go:build cuda

package driver

// #include "cublas.h"
// #include "loader.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"gorgonia.org/cu"
)

// The oldest driver that loads our PTX, and the oldest GPU that runs it.
const (
	oldestDriver     = 12010 // CUDA 12.1
	oldestCapability = 80    // Ampere
)

// Info describes a GPU.
type Info struct {
	Ordinal      int // its number, as the driver counts
	Name         string
	Memory       int64 // bytes
	Major, Minor int   // compute capability
	SMs          int   // streaming multiprocessors
	Shared       int   // bytes of shared memory that a block may have
	Driver       int   // version of CUDA that the driver serves: 12040 is 12.4
}

func (i Info) String() string { return fmt.Sprintf("GPU %d (%s)", i.Ordinal, i.Name) }

// Devices lists the GPUs of this machine. The error is *Unavailable where none can be
// used. The list includes GPUs that are too old; Open refuses them.
func Devices() ([]Info, error) {
	d := C.sweep_load_driver()
	version := fmt.Sprintf("NVIDIA driver for CUDA %d.%d", d.version/1000, d.version%1000/10)
	switch {
	case d.found == 0:
		// A library that is installed and does not load is another problem: say which.
		if text := C.GoString(d.missing); !strings.Contains(text, "No such file") {
			return nil, &Unavailable{"no NVIDIA driver: " + text}
		}
		return nil, &Unavailable{"no NVIDIA driver on this machine (libcuda.so.1 is not installed)"}
	case d.init == 100:
		return nil, &Unavailable{version + " is installed, but there is no GPU"}
	case d.init != 0:
		return nil, &Unavailable{version + ": " + Result(d.init).Error()}
	case d.version < oldestDriver:
		return nil, &Unavailable{fmt.Sprintf("%s is too old: install one for CUDA %d.%d or newer",
			version, oldestDriver/1000, oldestDriver%1000/10)}
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, &Unavailable{version + ": " + err.Error()}
	}
	if n == 0 {
		return nil, &Unavailable{version + " is installed, but there is no GPU"}
	}
	infos := make([]Info, n)
	for i := range infos {
		if infos[i], err = describe(i); err != nil {
			return nil, op(fmt.Sprintf("GPU %d", i), err)
		}
		infos[i].Driver = int(d.version)
	}
	return infos, nil
}

func describe(ordinal int) (Info, error) {
	dev, err := cu.GetDevice(ordinal)
	if err != nil {
		return Info{}, err
	}
	info := Info{Ordinal: ordinal}
	if info.Name, err = dev.Name(); err != nil {
		return Info{}, err
	}
	if info.Memory, err = dev.TotalMem(); err != nil {
		return Info{}, err
	}
	for _, a := range []struct {
		to        *int
		attribute cu.DeviceAttribute
	}{
		{&info.Major, cu.ComputeCapabilityMajor},
		{&info.Minor, cu.ComputeCapabilityMinor},
		{&info.SMs, cu.MultiprocessorCount},
		{&info.Shared, sharedOptIn},
	} {
		if *a.to, err = dev.Attribute(a.attribute); err != nil {
			return Info{}, err
		}
	}
	return info, nil
}

// sharedOptIn is CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN.
const sharedOptIn cu.DeviceAttribute = 97

// A Device is an open GPU, with its primary context. Every Open needs a Close; the same
// GPU may be open several times.
type Device struct {
	info    Info
	dev     cu.Device
	context cu.CUContext

	blas     sync.Mutex
	library  *C.sweep_blas    // cuBLAS, once it has started
	idle     []unsafe.Pointer // its handles that no Blas has
	captures sync.RWMutex     // read while a stream captures, written while a call waits for the whole device

	counting  sync.Mutex
	sizes     map[Ptr]int64 // bytes of each allocation that is not freed
	allocated int64         // their sum
}

// Open opens the GPU with that Info.Ordinal. The error is *Unavailable where there is no
// such GPU, or one that is too old.
func Open(ordinal int) (*Device, error) {
	infos, err := Devices()
	if err != nil {
		return nil, err
	}
	if ordinal < 0 || ordinal >= len(infos) {
		return nil, &Unavailable{fmt.Sprintf("GPU %d: this machine has GPUs 0 to %d", ordinal, len(infos)-1)}
	}
	info := infos[ordinal]
	if info.Major*10+info.Minor < oldestCapability {
		return nil, &Unavailable{fmt.Sprintf("%v has compute capability %d.%d: %d.%d or newer is needed",
			info, info.Major, info.Minor, oldestCapability/10, oldestCapability%10)}
	}
	d := &Device{info: info, dev: cu.Device(ordinal), sizes: map[Ptr]int64{}}
	if d.context, err = d.dev.RetainPrimaryCtx(); err != nil {
		return nil, op(fmt.Sprintf("open %v", info), err)
	}
	return d, nil
}

// Close closes the GPU. The last Close frees all memory that is still allocated on it.
func (d *Device) Close() error {
	err := d.closeBlas()
	return errors.Join(err, op(fmt.Sprintf("close %v", d.info), d.dev.ReleasePrimaryCtx()))
}

// Info describes the GPU.
func (d *Device) Info() Info { return d.info }

// Enter binds the goroutine to its thread and the thread to the device, until leave is
// called.
func (d *Device) Enter() (leave func(), err error) {
	runtime.LockOSThread()
	if err := cu.SetCurrentContext(d.context); err != nil {
		runtime.UnlockOSThread()
		return nil, op(fmt.Sprintf("enter %v", d.info), err)
	}
	return runtime.UnlockOSThread, nil
}

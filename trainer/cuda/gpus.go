//go:build cuda

package cuda

import (
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// GPUs lists the GPUs of this machine by name, such as "GPU 0 (NVIDIA H200)". The error is one
// line that says why none can be used.
func GPUs() ([]string, error) {
	infos, err := driver.Devices()
	if err != nil {
		return nil, err
	}
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.String()
	}
	return names, nil
}

// ReadUsage asks NVML about a GPU by its number. The error says why NVML cannot tell. It may be called from many
// goroutines.
func ReadUsage(gpu int) (Usage, error) {
	u, err := driver.ReadUsage(gpu)
	return Usage(u), err
}

// Bytes returns the memory of a model on any GPU and on the host, in bytes.
func Bytes(c trainer.Config) (device, host int64) { return new(backend).Bytes(c) }

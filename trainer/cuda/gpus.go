//go:build cuda

package cuda

import (
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// GPUs lists the GPUs of this machine, each as a person would name it. Where none
// can be used the error says in one line why.
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

// Bytes returns what a model takes on any GPU, and on the host; 0 if not known.
func Bytes(c trainer.Config) (device, host int64) { return new(backend).Bytes(c) }

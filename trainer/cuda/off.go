//go:build !cuda

// Package cuda trains on NVIDIA GPUs. This is what is left of it in a program that
// is built without the tag cuda: it has no GPUs.
package cuda

import (
	"errors"

	"github.com/topksweep/sweep/trainer"
)

var errOff = errors.New("this program is built without CUDA (the build tag cuda, docs/cuda.md)")

// GPUs lists the GPUs of this machine.
func GPUs() ([]string, error) { return nil, errOff }

// New returns the backend of a GPU.
func New(int) (trainer.Backend, error) { return nil, errOff }

//go:build !cuda

// Package cuda trains on NVIDIA GPUs. This is what is left of it in a program that
// is built without the tag cuda: it has no GPUs.
package cuda

import "github.com/topksweep/sweep/trainer"

// GPUs lists the GPUs of this machine.
func GPUs() ([]string, error) { return nil, ErrNotBuilt }

// New returns the backend of a GPU.
func New(int) (trainer.Backend, error) { return nil, ErrNotBuilt }

// Bytes returns what a model takes on any GPU, and on the host; 0 if not known.
func Bytes(trainer.Config) (device, host int64) { return 0, 0 }

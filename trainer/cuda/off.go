//go:build !cuda

// Package cuda trains on NVIDIA GPUs. In a program that is built without the tag cuda, all
// that it has are these functions, which say so.
package cuda

import "github.com/topksweep/sweep/trainer"

// GPUs returns ErrNotBuilt.
func GPUs() ([]string, error) { return nil, ErrNotBuilt }

// New returns ErrNotBuilt.
func New(int) (trainer.Backend, error) { return nil, ErrNotBuilt }

// ReadUsage returns ErrNotBuilt.
func ReadUsage(int) (Usage, error) { return Usage{}, ErrNotBuilt }

// Bytes returns 0: the memory of a model is not known.
func Bytes(trainer.Config) (device, host int64) { return 0, 0 }

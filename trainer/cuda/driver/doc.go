//go:build cuda

// Package driver reaches NVIDIA's driver and cuBLAS: devices, memory, streams,
// events, kernels, graphs and matrix products. It stands on gorgonia.org/cu and
// adds what that lacks: a launch in one call, pinned memory, more than 48 KB of
// shared memory, graphs, and a cuBLAS with streams and precisions.
//
// It is the only package of the program that needs cgo, and is there only with
// the build tag cuda. Both libraries are loaded when a GPU is first asked for
// (Devices), so that a program with the tag runs on machines without them.
//
// A context belongs to a thread: everything but Devices and Open is called
// between Device.Enter and the function that it returns. Nothing here is safe for
// use by several goroutines at a time, but for Device.Enter, Alloc and Free.
package driver

// The empty library in link/ answers for gorgonia.org/cu's -lcuda: trampolines.S
// defines what it would have held.

// #cgo CFLAGS: -I${SRCDIR}/compat -I/usr/local/cuda/include
// #cgo LDFLAGS: -L${SRCDIR}/link -ldl -lpthread
import "C"

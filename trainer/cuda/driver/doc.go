//go:build cuda

// Package driver calls NVIDIA's driver and cuBLAS: devices, memory, streams, events,
// kernels, graphs and matrix products. It builds on gorgonia.org/cu and adds what that
// lacks: a launch in one call, pinned memory, more than 48 KB of shared memory, graphs,
// and a cuBLAS with streams and precisions.
//
// It is the only package of the program that needs cgo, and it is built only with the
// tag cuda. Both libraries are loaded when Devices is first called, so that a program
// with the tag also runs on machines without them.
//
// The driver binds a context to a thread. Therefore only Devices and Open may be called
// anywhere; everything else is called between Device.Enter and the function that Enter
// returns. A Device may be used by several goroutines at a time; a Stream, an Event, a Graph
// and a Blas by one at a time.
package driver

// gorgonia.org/cu links with -lcuda. The empty library in link/ satisfies the linker,
// and trampolines.S defines the functions.

// #cgo CFLAGS: -I${SRCDIR}/compat -I/usr/local/cuda/include
// #cgo LDFLAGS: -L${SRCDIR}/link -ldl -lpthread
import "C"

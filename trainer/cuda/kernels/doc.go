//go:build cuda

// Package kernels is the CUDA backend's operations: one .cu file each, and
// beside it a Go file of the same name with the operation's arguments, what they
// have to satisfy, and the shape of its launch.
//
// Matrices are row-major float32. Those over D have rows of D4 float4, padded
// with zeros. An operation is put on a Queue and done in that order; nothing
// waits. Results depend on the arguments alone, bit for bit.
package kernels

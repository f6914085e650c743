//go:build cuda

// Package kernels has the operations of the CUDA backend. Each .cu file holds kernels. The
// Go file of the same name has the arguments of each operation, checks them, and says how
// many threads a launch has. kernelsOf (ptx.go) lists the kernels that Load finds: a kernel
// that is not in it cannot be launched.
//
// Matrices are row-major float32 unless their comment says otherwise. Rows of width D are
// padded with zeros to D4 float4. An address of 0 means that an argument is left out, where
// the comment allows it.
//
// An operation puts its kernels on a Queue and does not wait for them. The queue works in
// order. Results depend on the arguments alone, bit for bit.
package kernels

//go:build cuda

// Package cuda is the backend that trains on an NVIDIA GPU. A step has the phases of package
// cpu, in step.go. Like package cpu it computes one dense product a step, that of the encoder,
// through cuBLAS. All other work touches only the latents that were kept, with the kernels of
// package kernels.
//
// Pre-activations exist only in chunks of latents, which stay in the GPU's L2 cache: a product
// fills a chunk, and a kernel gathers each token's candidates from it. A step puts all its
// work on one stream. The host waits once, for the step's numbers.
//
// Two runs on GPUs of one kind, with one driver and one cuBLAS, give equal bits: sums have a
// fixed order, and only integers are added atomically.
package cuda

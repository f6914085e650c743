//go:build cuda

// Package cuda is the backend that trains on an NVIDIA GPU. Like package cpu it
// computes one dense product a step, the encoder's, through cuBLAS; everything
// else touches only the latents that were kept, with the kernels of package
// kernels.
//
// Pre-activations come in chunks of latents that stay in the GPU's L2 cache: a
// product fills a chunk, and a sieve takes each row's candidates from it. All of
// a step is put on one stream without waiting; the host waits once, for the
// step's numbers.
//
// Two runs on GPUs of one model, with one driver and one cuBLAS, give equal
// bits: sums have a fixed order, and only integers are added atomically.
package cuda

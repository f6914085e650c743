package kernels

// The PTX is committed, so that a build needs no compiler of NVIDIA's. CI compiles
// it again and compares.
//go:generate make -C ../../.. generate-cuda

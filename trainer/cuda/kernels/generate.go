package kernels

// The PTX is committed, so that a build needs no compiler from NVIDIA. CI compiles the
// kernels again and compares.
//go:generate make -C ../../.. generate-cuda

package kernels

// The PTX is committed, so that a build needs no compiler of NVIDIA's. CI compiles
// it again and compares.
//go:generate ../toolkit/fetch ../../../.cuda/toolkit
//go:generate sh -c "python3 ../toolkit/ptx.py ../../../.cuda/toolkit/nvrtc *.cu"

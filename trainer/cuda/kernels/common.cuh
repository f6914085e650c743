// What all kernels share. Compiled by nvcc, by NVRTC and, with the CPU shim
// included first, by a C++ compiler: no headers, no host code.
//
// Shapes: B tokens, D width, F latents, K kept. Rows of matrices over D are
// padded with zeros to dPad, a multiple of 8, and d4 = dPad/4 is their number of
// float4. Every sum has a fixed order that depends on the shapes alone; only
// integers are added atomically.
#pragma once

#ifndef __CUDA_CPU__
#define DYN_SHARED(T, name)                                      \
    extern __shared__ __align__(16) unsigned char name##_raw[];  \
    T *name = reinterpret_cast<T *>(name##_raw)
#endif

#define FULL 0xffffffffu

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

// Step is what the host says of a step: see kernels/step.go.
struct Step {
    const float *x;      // [B,D] the batch
    float rate;          // lr / (1 - beta1^t)
    float root;          // 1 / sqrt(1 - beta2^t)
    int average;         // 1: move the threshold's average on
    int reserved;
};

// Totals are what the device knows of a step; the first part goes to the host.
struct Totals {
    double l2;           // mean over the batch of the squared error
    double aux;          // AuxK loss, before alpha
    double norm2;        // squared norm of the gradients
    u64 longest;         // largest tokens since fired
    int dead;            // latents dead in this step
    int dying;           // latents dead in the next step unless they fire
    int badRow;          // B - first row with a NaN among its pre-activations; 0: none
    int auxBadRow;       // the same of AuxK's
    float threshold;     // average of the smallest positive kept activation; -1: unset
    float clip;          // factor of the gradients
    float mainScale;     // gradient by the reconstruction = mainScale * main rows
    float auxScale;      // and that of dead latents = auxScale * left
    int mainIsLeft;      // 1: the main rows are left, not the residual
    int extras;          // segments beyond the first
};

__device__ __forceinline__ float warpSum(float v) {
#pragma unroll
    for (int o = 16; o > 0; o >>= 1) v += __shfl_xor_sync(FULL, v, o);
    return v;
}

__device__ __forceinline__ double warpSum(double v) {
#pragma unroll
    for (int o = 16; o > 0; o >>= 1) v += __shfl_xor_sync(FULL, v, o);
    return v;
}

// blockSum adds v over the block, whose threads are a multiple of 32 and lie in
// one dimension; all threads get the sum. It is called by all of them.
__device__ __forceinline__ double blockSum(double v) {
    __shared__ double part[32];
    v = warpSum(v);
    __syncthreads();  // of an earlier call
    if ((threadIdx.x & 31) == 0) part[threadIdx.x >> 5] = v;
    __syncthreads();
    double s = 0;
    for (int w = 0; w < (int)(blockDim.x >> 5); w++) s += part[w];
    return s;
}

// Fused by hand, so that the compiler has no choice: units must repeat the bits
// of update.
__device__ __forceinline__ float dot4(float4 a, float4 b) { return fmaf(a.x, b.x, fmaf(a.y, b.y, fmaf(a.z, b.z, a.w * b.w))); }

__device__ __forceinline__ void axpy4(float4 &y, float a, float4 x) {
    y.x = fmaf(a, x.x, y.x);
    y.y = fmaf(a, x.y, y.y);
    y.z = fmaf(a, x.z, y.z);
    y.w = fmaf(a, x.w, y.w);
}

__device__ __forceinline__ float4 zero4() { return make_float4(0.f, 0.f, 0.f, 0.f); }

// spanFrom cuts n into parts of almost equal size; part p is spanFrom(p) up to
// spanFrom(p+1).
__device__ __forceinline__ int spanFrom(int p, int parts, int n) { return (int)((i64)n * p / parts); }

// bf16 rounds to the nearest bfloat16, ties to even; NaN stays NaN.
__device__ __forceinline__ u16 bf16(float f) {
    u32 u = __float_as_uint(f);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (u16)((u >> 16) | 0x40u);
    return (u16)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

__device__ __forceinline__ uint2 bf16x4(float4 v) {
    return make_uint2((u32)bf16(v.x) | (u32)bf16(v.y) << 16, (u32)bf16(v.z) | (u32)bf16(v.w) << 16);
}

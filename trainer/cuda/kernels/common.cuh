// What all kernels share. nvcc and NVRTC compile it, and a C++ compiler too if
// cuda_cpu.h comes first. Therefore it includes no headers and has no host code.
//
// Sizes: B tokens in a batch, D numbers in a token, F latents, K kept latents of a token.
// A suffix such as _BD names the rows and columns of a matrix. Rows of width D are padded
// with zeros to dPad numbers, a multiple of 8. d4 = dPad/4 is their number of float4.
//
// Every sum has a fixed order, which depends on the sizes alone. Only integers are added
// atomically.
#pragma once

#ifndef __CUDA_CPU__
#define DYN_SHARED(T, name)                                      \
    extern __shared__ __align__(16) unsigned char name##_raw[];  \
    T *name = reinterpret_cast<T *>(name##_raw)
#endif

#define FULL 0xffffffffu  // mask of all lanes of a warp

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

// StepInput is what the host tells the device of a step. Its Go twin is in kernels/step.go.
struct StepInput {
    const float *x;       // [B,D] the batch
    float rate;           // lr / (1 - beta1^t)
    float root;           // 1 / sqrt(1 - beta2^t)
    int updateThreshold;  // 1: the threshold's moving average takes this step's mean
    int reserved;
};
static_assert(sizeof(StepInput) == 24, "kernels.StepInput in step.go must have the same layout");

// StepTotals are the numbers of a step on the device, which the host reads after it. Its Go
// twin is in kernels/step.go.
struct StepTotals {
    double l2;          // mean over the batch of the squared error
    double aux;         // AuxK loss, before alpha
    double norm2;       // squared norm of all gradients
    u64 maxSinceFired;  // most tokens since any latent fired
    int dead;           // latents that are dead in this step
    int dying;          // latents that are dead in the next step unless they fire in it
    int nanRow;         // B - the first row with a NaN among its pre-activations; 0: none
    int auxNaNRow;      // the same for AuxK's pre-activations
    float threshold;    // moving average of the smallest positive kept activation; -1: none yet
    float clip;         // the factor that clips the gradients
    float mainScale;    // d loss / d reconstruction = mainScale * residual
    float auxScale;     // for dead latents it is auxScale * auxResidual
    int mainIsAux;      // 1: for living latents it is mainScale * auxResidual
    int extras;         // segments of hits beyond each latent's first (group.cu)
};
static_assert(sizeof(StepTotals) == 72, "kernels.StepTotals in step.go must have the same layout");

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

// blockSum returns to all threads the sum of v over the block. All threads must call it. The
// block has one dimension, which is a multiple of 32.
__device__ __forceinline__ double blockSum(double v) {
    __shared__ double part[32];
    v = warpSum(v);
    __syncthreads();  // an earlier call may still read part
    if ((threadIdx.x & 31) == 0) part[threadIdx.x >> 5] = v;
    __syncthreads();
    double s = 0;
    for (int w = 0; w < (int)(blockDim.x >> 5); w++) s += part[w];
    return s;
}

// No compiler fuses products with sums: the option --fmad=false forbids it, so that all GPUs
// give the same bits. dot4, axpy4 and fmaf say where they are fused.
__device__ __forceinline__ float dot4(float4 a, float4 b) {
    return fmaf(a.x, b.x, fmaf(a.y, b.y, fmaf(a.z, b.z, a.w * b.w)));
}

__device__ __forceinline__ void axpy4(float4 &y, float a, float4 x) {
    y.x = fmaf(a, x.x, y.x);
    y.y = fmaf(a, x.y, y.y);
    y.z = fmaf(a, x.z, y.z);
    y.w = fmaf(a, x.w, y.w);
}

__device__ __forceinline__ float4 zero4() { return make_float4(0.f, 0.f, 0.f, 0.f); }

// spanFrom cuts n items into parts of almost equal size and returns the first item of part p.
// The part ends before spanFrom(p + 1).
__device__ __forceinline__ int spanFrom(int p, int parts, int n) { return (int)((i64)n * p / parts); }

// toHalf rounds to the nearest float16, ties to even; what is too large becomes infinite.
// fromHalf is exact.
#ifdef __CUDA_CPU__
__device__ __forceinline__ u16 toHalf(float v) { return cuda_cpu_to_half(v); }
__device__ __forceinline__ float fromHalf(u16 h) { return cuda_cpu_from_half(h); }
#else
__device__ __forceinline__ u16 toHalf(float v) {
    u16 h;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(v));
    return h;
}
__device__ __forceinline__ float fromHalf(u16 h) {
    float v;
    asm("cvt.f32.f16 %0, %1;" : "=f"(v) : "h"(h));
    return v;
}
#endif

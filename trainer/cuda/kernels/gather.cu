#include "common.cuh"

// Types of stored numbers. gather.go has the same.
enum { STORED_F32, STORED_F16, STORED_BF16 };

struct half {
    u16 bits;
};

struct brain {
    u16 bits;
};

// widen returns the float32 of a stored number, which is exact and finite. The exponent of a half
// is 112 less in float32; those of subnormal halves are subnormal there, and the product is exact.
__device__ __forceinline__ float widen(float v) { return v; }

__device__ __forceinline__ float widen(brain v) { return __uint_as_float((u32)v.bits << 16); }

__device__ __forceinline__ float widen(half v) {
    float size = __uint_as_float((v.bits & 0x7fffu) << 13) * __uint_as_float(0x77800000u);  // 2^112
    return __uint_as_float(__float_as_uint(size) | (v.bits & 0x8000u) << 16);
}

template <class T> struct alignas(4 * sizeof(T)) Four {
    T x, y, z, w;
};

// gatherRow sets out_D to a stored row, widened and scaled. All lanes of a warp call it. in may be
// out.
template <class T> __device__ __forceinline__ void gatherRow(const T *in, int d, float scale, float *out) {
    if ((d & 3) == 0) {
#pragma unroll 4
        for (int c = threadIdx.x; c < d / 4; c += 32) {
            Four<T> v = reinterpret_cast<const Four<T> *>(in)[c];
            reinterpret_cast<float4 *>(out)[c] =
                make_float4(widen(v.x) * scale, widen(v.y) * scale, widen(v.z) * scale, widen(v.w) * scale);
        }
    } else {
        for (int c = threadIdx.x; c < d; c += 32) out[c] = widen(in[c]) * scale;
    }
}

// gather_batch widens and scales n stored rows of data to out_nD: those whose numbers are in rows,
// or the first n where rows is null. One warp does one row.
extern "C" __global__ void gather_batch(const void *data, const i64 *rows, int n, int d, int type, float scale,
                                        float *out) {
    int i = blockIdx.x * blockDim.y + threadIdx.y;
    if (i >= n) return;
    i64 from = (rows ? rows[i] : i) * d;
    out += (i64)i * d;
    switch (type) {
        case STORED_F32: gatherRow(reinterpret_cast<const float *>(data) + from, d, scale, out); break;
        case STORED_F16: gatherRow(reinterpret_cast<const half *>(data) + from, d, scale, out); break;
        case STORED_BF16: gatherRow(reinterpret_cast<const brain *>(data) + from, d, scale, out); break;
    }
}

// gather_latents copies the rows of w and the numbers of bias that belong to n latents. A row
// has width16 uint4. One warp copies one row.
extern "C" __global__ void gather_latents(const uint4 *w, const float *bias, const int *latents, int n, int width16,
                                          uint4 *out, float *outBias) {
    int i = blockIdx.x * blockDim.y + threadIdx.y;
    if (i >= n) return;
    int f = latents[i];
    const uint4 *in = w + (i64)f * width16;
    uint4 *to = out + (i64)i * width16;
    for (int c = threadIdx.x; c < width16; c += 32) to[c] = in[c];
    if (threadIdx.x == 0) outBias[i] = bias[f];
}

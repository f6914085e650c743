#include "common.cuh"

// gather_batch copies n rows of data, whose numbers are in rows, to out_nD. One warp copies
// one row.
extern "C" __global__ void gather_batch(const float *data, const i64 *rows, int n, int d, float *out) {
    int i = blockIdx.x * blockDim.y + threadIdx.y;
    if (i >= n) return;
    const float *in = data + rows[i] * d;
    out += (i64)i * d;
    if ((d & 3) == 0) {
        for (int c = threadIdx.x; c < d / 4; c += 32) {
            reinterpret_cast<float4 *>(out)[c] = reinterpret_cast<const float4 *>(in)[c];
        }
    } else {
        for (int c = threadIdx.x; c < d; c += 32) out[c] = in[c];
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

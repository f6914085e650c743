#include "common.cuh"

// decode subtracts from each row what its k activations decode to, without b_dec:
//
//     out = from - sum over i of acts[i] * decScale[latents[i]] * W_dec[latents[i]]
//
// norm2 is the squared norm of out. Where mean is not null, spread2 is the squared distance
// of from to the mean. Activations of 0 or less count as 0. One block works on one row, whose
// activations have stride numbers. The coefficients pass through shared memory in parts of
// DECODE_PART, so that k may be any number.
#define DECODE_PART 512

extern "C" __global__ void decode(const float4 *from, float4 *out, const float4 *__restrict__ wDec,
                                  const float *decScale, const float *acts, const int *latents, int k, int stride,
                                  int d4, double *norm2, const double *mean, double *spread2) {
    __shared__ float coef[DECODE_PART];
    __shared__ int rowOf[DECODE_PART];
    i64 row = blockIdx.x;
    from += row * d4;
    out += row * d4;
    acts += row * stride;
    latents += row * stride;
    double spread = 0, norm = 0;
    for (int part = 0; part == 0 || part < k; part += DECODE_PART) {
        int n = min(DECODE_PART, k - part);
        __syncthreads();
        for (int i = threadIdx.x; i < n; i += blockDim.x) {
            float a = acts[part + i];
            int f = latents[part + i];
            coef[i] = a > 0.f ? -a * decScale[f] : 0.f;
            rowOf[i] = f;
        }
        __syncthreads();
        bool last = part + DECODE_PART >= k;
        for (int c = threadIdx.x; c < d4; c += blockDim.x) {
            float4 acc = part == 0 ? from[c] : out[c];
            if (part == 0 && mean) {
                double x = acc.x - mean[4 * c], y = acc.y - mean[4 * c + 1];
                double z = acc.z - mean[4 * c + 2], w = acc.w - mean[4 * c + 3];
                spread += x * x + y * y + (z * z + w * w);
            }
#pragma unroll 8
            for (int i = 0; i < n; i++) axpy4(acc, coef[i], wDec[(i64)rowOf[i] * d4 + c]);
            out[c] = acc;
            if (last) norm += (double)dot4(acc, acc);
        }
    }
    norm = blockSum(norm);
    if (threadIdx.x == 0) norm2[row] = norm;
    if (mean) {
        spread = blockSum(spread);
        if (threadIdx.x == 0) spread2[row] = spread;
    }
}

#include "common.cuh"
#include "rounding.cuh"

// The float16 product only says which latents may be among a token's k largest. Those few are
// computed in float32 (choose.cu), and the float32 values decide. So the result is that of
// computing all pre-activations in float32, bit for bit.
//
// # The margin
//
// Let x be a token and w a latent's row, x~ and w~ the same rounded to float16, with errors
// x - x~ and w - w~ (rounding.cuh). c is their product as cuBLAS stores it. By Cauchy-Schwarz
//
//     |x·w - x~·w~| <= |x - x~| |w| + |x~| |w - w~|
//
// cuBLAS adds products in float32, in some order. A rounding is off by at most 2^-23 of the
// partial sum, also where it truncates, and no partial sum is above |x~||w~|. A tensor core adds
// 8 products or more to a sum at a time. At worst it truncates each of them to the precision of
// the largest, and then the sum: 10 roundings for 8 numbers. So D numbers are off by at most
// (1.25 D + 32) 2^-23 |x~||w~|. Our own sum is off by less, for it has fewer roundings one
// after the other. c is rounded to float16, by at most 2^-11 |c| or, below its normal numbers,
// 2^-25. So with bias b, and n and e of rounding.cuh, the float32 pre-activation v and
//
//     s = c * unscale(x) * unscale(w) + b
//
// differ by at most
//
//     margin = byNorm(x) * norm(w) + byError(x) * error(w) + ROUNDED * (|s| + |b|)
//
// where byNorm(x) holds e of x and the sums' roundings, and byError(x) holds n of x. For
// D = 512 it is about 4e-4 |x||w|, where values differ by about 4e-2 |x||w|.
//
// # The bar
//
// The latents are cut into groups. maxima gives for each token and group a lower and an upper
// bound of the group's largest pre-activation. The k-th largest of the lower bounds is the bar:
// k groups have a latent at or above it, so that the k-th largest pre-activation is at or above
// it too. A latent whose s + margin is below the bar is not among the k largest.
//
// An example with k = 2, groups of two latents and margins of 1:
//
//     latents  0 1   2 3   4 5   6 7
//     s        3 9   8 4   7 1   2 2
//     bounds   8-10  7-9   6-8   1-3     the bar is 7
//
// Group 6 7 is left out. Of the others, latents 1, 2 and 4 reach the bar with their margin: the
// float32 values of these three decide.

#define MAXIMA_ROWS 32  // tokens that a thread works on

// maxima writes to out, [rows,groups], the bounds of each group of G * lanes latents. lanes is a
// power of two up to 8, and 1 where G < 8. A thread holds what belongs to eight latents, and
// goes through MAXIMA_ROWS tokens.
//
//     pre      [rows,stride] products in float16; stride is a multiple of 64
//     token    [rows]; latent, bias [f]
//     allowed  [f] a latent whose byte is 0 is left out; null: none is
//     undecided  one number, which becomes 0: choose counts there
//
// A latent that cannot be screened gives its group an upper bound of infinity, and no lower one.
#define MAXIMA_PARAMS                                                                                                 \
    const uint4 *__restrict__ pre, int stride, const TokenRounding *__restrict__ token,                               \
        const LatentRounding *__restrict__ latent, const float *__restrict__ bias, const u8 *__restrict__ allowed,    \
        int f, int rows, int lanes, int groups, float2 *__restrict__ out, int *undecided
#define MAXIMA_ARGS pre, stride, token, latent, bias, allowed, f, rows, lanes, groups, out, undecided

template <int G>
__device__ __forceinline__ void maxima(MAXIMA_PARAMS) {
    constexpr int N = 8 / G;  // groups of this thread's eight latents
    int thread = blockIdx.x * blockDim.x + threadIdx.x, first = 8 * thread;
    if (thread == 0 && blockIdx.y == 0) *undecided = 0;
    float unscale[8], b[8], norm[N], error[N], largestBias[N];
    bool some = false;
#pragma unroll
    for (int g = 0; g < N; g++) norm[g] = error[g] = largestBias[g] = 0.f;
#pragma unroll
    for (int e = 0; e < 8; e++) {
        int i = first + e, g = e / G;
        unscale[e] = 0.f;
        b[e] = -INFINITE;
        if (i >= f || (allowed && !allowed[i])) continue;
        LatentRounding r = latent[i];
        some = true;
        unscale[e] = r.unscale;
        b[e] = bias[i];
        bool finite = fabsf(b[e]) < INFINITE;
        norm[g] = finite ? fmaxf(norm[g], r.norm) : INFINITE;
        error[g] = fmaxf(error[g], r.error);
        largestBias[g] = fmaxf(largestBias[g], fabsf(b[e]));
    }
    int columns = stride / 8, from = blockIdx.y * MAXIMA_ROWS, to = min(rows, from + MAXIMA_ROWS);
    for (int base = from; base < to; base += 4) {
        uint4 v[4];  // four loads in flight
#pragma unroll
        for (int j = 0; j < 4; j++) {
            bool in = some && base + j < to;
            v[j] = in ? pre[(i64)(base + j) * columns + thread] : make_uint4(0, 0, 0, 0);
        }
#pragma unroll
        for (int j = 0; j < 4; j++) {
            int row = base + j;
            if (row >= to) break;
            TokenRounding x = token[row];
            u32 word[4] = {v[j].x, v[j].y, v[j].z, v[j].w};
#pragma unroll
            for (int g = 0; g < N; g++) {
                float s = -INFINITE;
#pragma unroll
                for (int e = g * G; e < (g + 1) * G; e++) {
                    float c = fromHalf((u16)(word[e / 2] >> (e & 1) * 16));
                    s = fmaxf(s, fmaf(c * x.unscale, unscale[e], b[e]));
                }
                float margin = fmaf(x.byNorm, norm[g], x.byError * error[g]);
                margin = fmaf(ROUNDED, fabsf(s) + largestBias[g], margin);
                float2 bounds = make_float2(s - margin, s + margin);
                if (s == -INFINITE) bounds.y = s;
                if (!(norm[g] < INFINITE)) bounds = make_float2(-INFINITE, INFINITE);
                for (int o = 1; o < lanes; o <<= 1) {
                    bounds.x = fmaxf(bounds.x, __shfl_xor_sync(FULL, bounds.x, o));
                    bounds.y = fmaxf(bounds.y, __shfl_xor_sync(FULL, bounds.y, o));
                }
                if (first < stride && (thread & (lanes - 1)) == 0) {
                    out[(i64)row * groups + (thread / lanes) * N + g] = bounds;
                }
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(256) maxima1(MAXIMA_PARAMS) { maxima<1>(MAXIMA_ARGS); }
extern "C" __global__ void __launch_bounds__(256) maxima2(MAXIMA_PARAMS) { maxima<2>(MAXIMA_ARGS); }
extern "C" __global__ void __launch_bounds__(256) maxima4(MAXIMA_PARAMS) { maxima<4>(MAXIMA_ARGS); }
extern "C" __global__ void __launch_bounds__(256) maxima8(MAXIMA_PARAMS) { maxima<8>(MAXIMA_ARGS); }

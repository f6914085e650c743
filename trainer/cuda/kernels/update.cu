#include "common.cuh"
#include "rounding.cuh"

// Adam's step for all parameters. A latent's rows are read and written once:
//
//     m' = beta1 m + (1 - beta1) clip g
//     v' = beta2 v + (1 - beta2) clip^2 g^2
//     w' = w * weight - rate * m' / (sqrt(v') * root + eps)
//
// g is the gradient before clipping. Its projection is done already: that may come before the
// clip as well as after it.

#define BETA1 0.9f
#define BETA2 0.999f
#define EPS 1e-8f

struct Adam {
    float gain1, gain2, rate, root;
    __device__ __forceinline__ Adam(const StepInput *in, const StepTotals *t) {
        gain1 = (float)((1 - 0.9) * (double)t->clip);
        gain2 = (float)((1 - 0.999) * (double)t->clip * (double)t->clip);
        rate = in->rate;
        root = in->root;
    }
    __device__ __forceinline__ void one(float &w, float &m, float &v, float g, float weight) const {
        m = fmaf(gain1, g, BETA1 * m);
        v = fmaf(gain2 * g, g, BETA2 * v);
        w = fmaf(w, weight, -(rate * m / fmaf(sqrtf(v), root, EPS)));
    }
    __device__ __forceinline__ void four(float4 &w, float4 &m, float4 &v, float4 g, float weight) const {
        one(w.x, m.x, v.x, g.x, weight);
        one(w.y, m.y, v.y, g.y, weight);
        one(w.z, m.z, v.z, g.z, weight);
        one(w.w, m.w, v.w, g.w, weight);
    }
};

// teamSum returns the sum of v over the threads that work on a row, all of which call it.
__device__ __forceinline__ float teamSum(float v, float *part) {
    v = warpSum(v);
    if (blockDim.x == 32) return v;
    __syncthreads();  // an earlier call may still read part
    if ((threadIdx.x & 31) == 0) part[threadIdx.x >> 5] = v;
    __syncthreads();
    float sum = 0.f;
    for (int w = 0; w < (int)(blockDim.x >> 5); w++) sum += part[w];
    return sum;
}

// toUnit returns the factor that brings a row with that squared norm to unit norm.
__device__ __forceinline__ float toUnit(float norm2) {
    return (float)(1 / (sqrt((double)norm2) + 1.1920928955078125e-7));
}

// update takes Adam's step for the rows of each latent, and for n biases.
//
// decScale[f] is the factor by which row f of W_dec is multiplied before it is used. It brings
// the row to unit norm. With normaliseLast the row itself is stored at unit norm, and the
// factor stays 1. The gradients of latents without hits (start[f] == start[f+1]) are 0 and are
// not read.
//
// encHalf is W_enc in float16, and encRounding says how it was rounded. A row is rounded with
// the scale that its last norm asked for, so that it is read once.
//
// The threads threadIdx.x of a block row are a team, which works on one latent; a team of more
// than a warp is alone in its block. A thread holds V float4 of each row. The blocks after
// those of the latents work on the biases, one bias a thread.
#define UPDATE_PARAMS                                                                                                 \
    float4 *__restrict__ wEnc, float4 *__restrict__ mEnc, float4 *__restrict__ vEnc, const float4 *__restrict__ gEnc, \
        float4 *__restrict__ wDec, float4 *__restrict__ mDec, float4 *__restrict__ vDec,                              \
        const float4 *__restrict__ gDec, float *__restrict__ decScale, uint2 *__restrict__ encHalf,                   \
        LatentRounding *__restrict__ encRounding, const int *__restrict__ start, int f, int d4, int normaliseLast,    \
        float *wBias, float *mBias, float *vBias, const float *gBias, int n, const StepInput *in, const StepTotals *t
#define UPDATE_ARGS                                                                                                   \
    wEnc, mEnc, vEnc, gEnc, wDec, mDec, vDec, gDec, decScale, encHalf, encRounding, start, f, d4, normaliseLast, wBias, \
        mBias, vBias, gBias, n, in, t

template <int V>
__device__ __forceinline__ void update(UPDATE_PARAMS) {
    __shared__ float part[32];
    int latent = blockIdx.x * blockDim.y + threadIdx.y, threads = blockDim.x;
    Adam adam(in, t);
    int blocks = (f + blockDim.y - 1) / blockDim.y;
    if ((int)blockIdx.x >= blocks) {
        int i = ((blockIdx.x - blocks) * blockDim.y + threadIdx.y) * threads + threadIdx.x;
        if (i < n) adam.one(wBias[i], mBias[i], vBias[i], gBias[i], 1.f);
        return;
    }
    if (latent >= f) return;
    bool hit = start[latent + 1] > start[latent];
    i64 at = (i64)latent * d4;
    float rounding = encRounding[latent].scale;
    RoundingSums sums = {0.f, 0.f};
#pragma unroll
    for (int i = 0; i < V; i++) {
        int c = i * threads + threadIdx.x;
        if (c >= d4) continue;
        float4 w = wEnc[at + c], m = mEnc[at + c], v = vEnc[at + c];
        adam.four(w, m, v, hit ? gEnc[at + c] : zero4(), 1.f);
        wEnc[at + c] = w;
        mEnc[at + c] = m;
        vEnc[at + c] = v;
        encHalf[at + c] = sums.four(w, rounding);
    }
    sums = {teamSum(sums.norm2, part), teamSum(sums.error2, part)};
    float weight = decScale[latent], sum = 0.f;
    float4 row[V];
#pragma unroll
    for (int i = 0; i < V; i++) {
        int c = i * threads + threadIdx.x;
        row[i] = zero4();
        if (c >= d4) continue;
        float4 w = wDec[at + c], m = mDec[at + c], v = vDec[at + c];
        adam.four(w, m, v, hit ? gDec[at + c] : zero4(), weight);
        mDec[at + c] = m;
        vDec[at + c] = v;
        row[i] = w;
        sum += dot4(w, w);
    }
    float scale = toUnit(teamSum(sum, part));
#pragma unroll
    for (int i = 0; i < V; i++) {
        int c = i * threads + threadIdx.x;
        if (c >= d4) continue;
        float4 w = row[i];
        if (normaliseLast) w = make_float4(w.x * scale, w.y * scale, w.z * scale, w.w * scale);
        wDec[at + c] = w;
    }
    if (threadIdx.x > 0) return;
    encRounding[latent] = latentRounding(sums, rounding);
    if (!normaliseLast) decScale[latent] = scale;
}

extern "C" __global__ void __launch_bounds__(128, 1) update1(UPDATE_PARAMS) { update<1>(UPDATE_ARGS); }
extern "C" __global__ void __launch_bounds__(128, 1) update2(UPDATE_PARAMS) { update<2>(UPDATE_ARGS); }
extern "C" __global__ void __launch_bounds__(128, 1) update3(UPDATE_PARAMS) { update<3>(UPDATE_ARGS); }
extern "C" __global__ void __launch_bounds__(1024, 1) update4(UPDATE_PARAMS) { update<4>(UPDATE_ARGS); }

// dec_scales computes decScale for all rows of W_dec, with the teams and the order of sums of
// update. So a run that starts from a checkpoint has the bits of a run that went on.
extern "C" __global__ void dec_scales(const float4 *__restrict__ wDec, int f, int d4, float *decScale) {
    __shared__ float part[32];
    int latent = blockIdx.x * blockDim.y + threadIdx.y;
    if (latent >= f) return;
    float sum = 0.f;
    for (int c = threadIdx.x; c < d4; c += blockDim.x) {
        float4 w = wDec[(i64)latent * d4 + c];
        sum += dot4(w, w);
    }
    float scale = toUnit(teamSum(sum, part));
    if (threadIdx.x == 0) decScale[latent] = scale;
}

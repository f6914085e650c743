#include "common.cuh"

// Adam over a latent's rows in one pass: a weight is w * weight - rate * m' /
// (sqrt(v') * root + eps), with the clip's factor in the gradient. Clip and
// projection commute, so the projection is done already.

#define BETA1 0.9f
#define BETA2 0.999f
#define EPS 1e-8f

struct Adam {
    float gain1, gain2, rate, root;
    __device__ __forceinline__ Adam(const Step *s, const Totals *t) {
        gain1 = (float)((1 - 0.9) * (double)t->clip);
        gain2 = (float)((1 - 0.999) * (double)t->clip * (double)t->clip);
        rate = s->rate;
        root = s->root;
    }
    __device__ __forceinline__ void one(float &w, float &m, float &v, float g, float weight) const {
        m = BETA1 * m + gain1 * g;
        v = BETA2 * v + gain2 * g * g;
        w = w * weight - rate * m / (sqrtf(v) * root + EPS);
    }
    __device__ __forceinline__ void four(float4 &w, float4 &m, float4 &v, float4 g, float weight) const {
        one(w.x, m.x, v.x, g.x, weight);
        one(w.y, m.y, v.y, g.y, weight);
        one(w.z, m.z, v.z, g.z, weight);
        one(w.w, m.w, v.w, g.w, weight);
    }
};

// unitOf gives the factor that brings a row to unit norm, from the sums of
// squares of the threads that work on it.
__device__ __forceinline__ float unitOf(float sum, float *part) {
    sum = warpSum(sum);
    if (blockDim.x > 32) {
        if ((threadIdx.x & 31) == 0) part[threadIdx.x >> 5] = sum;
        __syncthreads();
        sum = 0.f;
        for (int w = 0; w < (int)(blockDim.x >> 5); w++) sum += part[w];
    }
    return (float)(1 / (sqrt((double)sum) + 1.1920928955078125e-7));
}

// update takes latent f's rows on. Rows without hits have no gradient to read.
// unit is the factor that the decoder row is multiplied by before use; with
// normaliseLast the row is stored at unit norm and unit stays 1. encBF is the
// encoder in bfloat16, or null. A team of threadIdx.x works on a latent; teams
// of more than a warp are alone in their block. The blocks behind those take the
// n biases on, one a thread.
#define UPDATE_IN                                                                                                         \
    float4 *__restrict__ wEnc, float4 *__restrict__ mEnc, float4 *__restrict__ vEnc, const float4 *__restrict__ gEnc,     \
        float4 *__restrict__ wDec, float4 *__restrict__ mDec, float4 *__restrict__ vDec, const float4 *__restrict__ gDec, \
        float *__restrict__ unit, uint2 *__restrict__ encBF, const int *__restrict__ start, int f, int d4,                \
        int normaliseLast, float *w0, float *m0, float *v0, const float *g0, int n, const Step *s, const Totals *t
#define UPDATE_ON wEnc, mEnc, vEnc, gEnc, wDec, mDec, vDec, gDec, unit, encBF, start, f, d4, normaliseLast, w0, m0, v0, g0, n, s, t

template <int V>
__device__ __forceinline__ void update(UPDATE_IN) {
    __shared__ float part[32];
    int latent = blockIdx.x * blockDim.y + threadIdx.y, team32 = blockDim.x;
    Adam adam(s, t);
    int blocks = (f + blockDim.y - 1) / blockDim.y;
    if ((int)blockIdx.x >= blocks) {
        int i = ((blockIdx.x - blocks) * blockDim.y + threadIdx.y) * team32 + threadIdx.x;
        if (i < n) adam.one(w0[i], m0[i], v0[i], g0[i], 1.f);
        return;
    }
    if (latent >= f) return;
    bool hit = start[latent + 1] > start[latent];
    i64 at = (i64)latent * d4;
#pragma unroll
    for (int i = 0; i < V; i++) {
        int c = i * team32 + threadIdx.x;
        if (c >= d4) continue;
        float4 w = wEnc[at + c], m = mEnc[at + c], v = vEnc[at + c];
        adam.four(w, m, v, hit ? gEnc[at + c] : zero4(), 1.f);
        wEnc[at + c] = w;
        mEnc[at + c] = m;
        vEnc[at + c] = v;
        if (encBF) encBF[at + c] = bf16x4(w);
    }
    float weight = unit[latent], sum = 0.f;
    float4 row[V];
#pragma unroll
    for (int i = 0; i < V; i++) {
        int c = i * team32 + threadIdx.x;
        row[i] = zero4();
        if (c >= d4) continue;
        float4 w = wDec[at + c], m = mDec[at + c], v = vDec[at + c];
        adam.four(w, m, v, hit ? gDec[at + c] : zero4(), weight);
        mDec[at + c] = m;
        vDec[at + c] = v;
        row[i] = w;
        sum += dot4(w, w);
    }
    float toUnit = unitOf(sum, part);
#pragma unroll
    for (int i = 0; i < V; i++) {
        int c = i * team32 + threadIdx.x;
        if (c >= d4) continue;
        float4 w = row[i];
        if (normaliseLast) w = make_float4(w.x * toUnit, w.y * toUnit, w.z * toUnit, w.w * toUnit);
        wDec[at + c] = w;
    }
    if (threadIdx.x == 0 && !normaliseLast) unit[latent] = toUnit;
}

extern "C" __global__ void __launch_bounds__(128, 1) update1(UPDATE_IN) { update<1>(UPDATE_ON); }
extern "C" __global__ void __launch_bounds__(128, 1) update2(UPDATE_IN) { update<2>(UPDATE_ON); }
extern "C" __global__ void __launch_bounds__(128, 1) update3(UPDATE_IN) { update<3>(UPDATE_ON); }
extern "C" __global__ void __launch_bounds__(1024, 1) update4(UPDATE_IN) { update<4>(UPDATE_ON); }

// units sets each decoder row's factor to unit norm, with the teams and the
// order of update: a run that starts from a checkpoint repeats its bits.
extern "C" __global__ void units(const float4 *__restrict__ wDec, int f, int d4, float *unit) {
    __shared__ float part[32];
    int latent = blockIdx.x * blockDim.y + threadIdx.y;
    if (latent >= f) return;
    float sum = 0.f;
    for (int c = threadIdx.x; c < d4; c += blockDim.x) {
        float4 w = wDec[(i64)latent * d4 + c];
        sum += dot4(w, w);
    }
    float toUnit = unitOf(sum, part);
    if (threadIdx.x == 0) unit[latent] = toUnit;
}

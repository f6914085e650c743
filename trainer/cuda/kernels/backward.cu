#include "common.cuh"

// The gradients of each latent's encoder row, decoder row and bias. Latent f has hits with
// activations a_i in tokens t_i. r_i is d loss / d reconstruction of token t_i, x_i is
// x - b_dec of that token, and w is row f of W_dec at unit norm:
//
//     b_i         = r_i · w                   by the pre-activation
//     bias        = sum of b_i
//     encoder row = sum of b_i * x_i
//     decoder row = sum of a_i * r_i, less its component along w
//
// A team of threads works on a latent, or on one segment of it where it has more than segment
// hits (group.cu). It adds the hits in order of token and reads each r_i once. For example, a
// latent with 150 hits and segments of 64 has three segments. Its first team leaves its sums
// in the gradients, the two others in segmentSums and segmentBias. Then rejoin adds the three
// in order and removes the component along w.
//
// threadIdx.x counts the threads of a team. A team of more than a warp is alone in its block.
// Each thread holds V float4 of each row.

struct Team {
    float *part;  // [2][4][32] in shared memory
    int warps, turn;

    // sum adds each of N numbers over the team.
    template <int N>
    __device__ __forceinline__ void sum(float (&v)[N]) {
#pragma unroll
        for (int i = 0; i < N; i++) v[i] = warpSum(v[i]);
        if (warps == 1) return;
        float *p = part + 128 * turn;  // some threads may still read the other half
        turn ^= 1;
        if ((threadIdx.x & 31) == 0) {
#pragma unroll
            for (int i = 0; i < N; i++) p[32 * i + (threadIdx.x >> 5)] = v[i];
        }
        __syncthreads();
#pragma unroll
        for (int i = 0; i < N; i++) {
            v[i] = 0.f;
            for (int w = 0; w < warps; w++) v[i] += p[32 * i + w];
        }
    }
};

// finish removes the component of latent f's decoder gradient along its decoder row, and
// writes the gradients and their squared norm. The norm is that before the removal or, with
// projectFirst, after it. With projectFirst the row is divided by its norm + 1e-6, as in
// recipe upstream, and else multiplied by decScale.
template <int V>
__device__ __forceinline__ void finish(Team &team, int f, int d4, const float4 *w, float4 *gDec, float4 *gEnc,
                                       float gBias, float decScale, int projectFirst, float4 *decOut, float4 *encOut,
                                       float *bias, double *norm2) {
    int threads = 32 * team.warps;
    // gDec · w, and the squared norms of gDec, w and gEnc
    float sums[4] = {0.f, 0.f, 0.f, 0.f};
#pragma unroll
    for (int v = 0; v < V; v++) {
        sums[0] += dot4(gDec[v], w[v]);
        sums[1] += dot4(gDec[v], gDec[v]);
        sums[2] += dot4(w[v], w[v]);
        sums[3] += dot4(gEnc[v], gEnc[v]);
    }
    team.sum(sums);
    if (projectFirst) decScale = (float)(1.0 / (sqrt((double)sums[2]) + 1e-6));
    float along = -sums[0] * decScale * decScale;
    float after[1] = {0.f};
#pragma unroll
    for (int v = 0; v < V; v++) {
        int c = v * threads + threadIdx.x;
        axpy4(gDec[v], along, w[v]);
        after[0] += dot4(gDec[v], gDec[v]);
        if (c < d4) {
            decOut[(i64)f * d4 + c] = gDec[v];
            encOut[(i64)f * d4 + c] = gEnc[v];
        }
    }
    if (projectFirst) team.sum(after);
    if (threadIdx.x == 0) {
        bias[f] = gBias;
        norm2[f] = (double)sums[3] + (double)gBias * gBias + (double)(projectFirst ? after[0] : sums[1]);
    }
}

#define BACKWARD_PARAMS                                                                                               \
    const float4 *__restrict__ residual, const float4 *__restrict__ auxResidual, const float4 *__restrict__ centred,  \
        const float4 *__restrict__ wDec, const float *__restrict__ decScale, const u8 *__restrict__ dead,             \
        const int *__restrict__ start, const int2 *__restrict__ extra, const int *__restrict__ token,                 \
        const float *__restrict__ act, int maxExtras, int segment, int f, int d4, int projectFirst,                   \
        const StepTotals *t, float4 *__restrict__ decOut, float4 *__restrict__ encOut, float *__restrict__ bias,      \
        double *__restrict__ norm2, float4 *__restrict__ segmentSums, float *__restrict__ segmentBias
#define BACKWARD_ARGS                                                                                                 \
    residual, auxResidual, centred, wDec, decScale, dead, start, extra, token, act, maxExtras, segment, f, d4,        \
        projectFirst, t, decOut, encOut, bias, norm2, segmentSums, segmentBias

// backward sums the hits of a segment. The first maxExtras teams work on extra segments, of
// which there are t->extras, and the others on the first segment of each latent. The long
// latents come first, so that no team is left alone with one at the end.
template <int V>
__device__ __forceinline__ void backward(BACKWARD_PARAMS) {
    __shared__ float part[256];
    Team team = {part, (int)blockDim.x >> 5, 0};
    int threads = blockDim.x;
    int item = blockIdx.x * blockDim.y + threadIdx.y, latent = item - maxExtras, nth = 0;
    if (item < maxExtras) {
        if (item >= t->extras) return;
        latent = extra[item].x;
        nth = extra[item].y;
    }
    if (latent >= f) return;
    int from = start[latent] + nth * segment, to = start[latent + 1];
    bool split = to - start[latent] > segment;
    to = min(to, from + segment);
    if (from == to) {
        if (threadIdx.x == 0) {
            bias[latent] = 0.f;
            norm2[latent] = 0.;
        }
        return;
    }
    bool isDead = dead[latent] != 0;
    const float4 *rows = isDead || t->mainIsAux ? auxResidual : residual;
    float scale = isDead ? t->auxScale : t->mainScale;
    float back = scale * decScale[latent];
    float4 w[V], gDec[V], gEnc[V];
#pragma unroll
    for (int v = 0; v < V; v++) {
        int c = v * threads + threadIdx.x;
        w[v] = c < d4 ? wDec[(i64)latent * d4 + c] : zero4();
        gDec[v] = gEnc[v] = zero4();
    }
    double gBias = 0;
    for (int i = from; i < to; i++) {
        i64 row = (i64)token[i] * d4;
        float a = act[i] * scale, dot[1] = {0.f};
        float4 r[V], x[V];
#pragma unroll
        for (int v = 0; v < V; v++) {
            int c = v * threads + threadIdx.x;
            r[v] = c < d4 ? rows[row + c] : zero4();
            x[v] = c < d4 ? centred[row + c] : zero4();
        }
#pragma unroll
        for (int v = 0; v < V; v++) dot[0] += dot4(r[v], w[v]);
        team.sum(dot);
        dot[0] *= back;
        gBias += dot[0];
#pragma unroll
        for (int v = 0; v < V; v++) {
            axpy4(gDec[v], a, r[v]);
            axpy4(gEnc[v], dot[0], x[v]);
        }
    }
    if (!split) {
        finish<V>(team, latent, d4, w, gDec, gEnc, (float)gBias, decScale[latent], projectFirst, decOut, encOut, bias,
                  norm2);
        return;
    }
    // The first segment leaves its sums in the gradients. The others leave them in
    // segmentSums, [maxExtras,2,d4]: a decoder row and an encoder row each.
    float4 *toDec = nth ? segmentSums + (i64)item * 2 * d4 : decOut + (i64)latent * d4;
    float4 *toEnc = nth ? toDec + d4 : encOut + (i64)latent * d4;
#pragma unroll
    for (int v = 0; v < V; v++) {
        int c = v * threads + threadIdx.x;
        if (c < d4) {
            toDec[c] = gDec[v];
            toEnc[c] = gEnc[v];
        }
    }
    if (threadIdx.x == 0) *(nth ? segmentBias + item : bias + latent) = (float)gBias;
}

// rejoin adds the segments of each latent that has extra ones, in order, and finishes its
// gradients. The team of a latent's first extra segment does it.
#define REJOIN_PARAMS                                                                                                 \
    const float4 *__restrict__ wDec, const float *__restrict__ decScale, const int *__restrict__ start,               \
        const int2 *__restrict__ extra, int segment, int d4, int projectFirst, const StepTotals *t,                   \
        float4 *__restrict__ decOut, float4 *__restrict__ encOut, float *__restrict__ bias, double *__restrict__ norm2,\
        const float4 *__restrict__ segmentSums, const float *__restrict__ segmentBias
#define REJOIN_ARGS                                                                                                   \
    wDec, decScale, start, extra, segment, d4, projectFirst, t, decOut, encOut, bias, norm2, segmentSums, segmentBias

template <int V>
__device__ __forceinline__ void rejoin(REJOIN_PARAMS) {
    __shared__ float part[256];
    Team team = {part, (int)blockDim.x >> 5, 0};
    int threads = blockDim.x;
    int item = blockIdx.x * blockDim.y + threadIdx.y;
    if (item >= t->extras || extra[item].y != 1) return;
    int latent = extra[item].x;
    int extras = (start[latent + 1] - start[latent] - 1) / segment;
    float4 w[V], gDec[V], gEnc[V];
#pragma unroll
    for (int v = 0; v < V; v++) {
        int c = v * threads + threadIdx.x;
        bool in = c < d4;
        w[v] = in ? wDec[(i64)latent * d4 + c] : zero4();
        gDec[v] = in ? decOut[(i64)latent * d4 + c] : zero4();
        gEnc[v] = in ? encOut[(i64)latent * d4 + c] : zero4();
    }
    double gBias = bias[latent];
    for (int e = item; e < item + extras; e++) {
        const float4 *dec = segmentSums + (i64)e * 2 * d4, *enc = dec + d4;
#pragma unroll
        for (int v = 0; v < V; v++) {
            int c = v * threads + threadIdx.x;
            if (c < d4) {
                axpy4(gDec[v], 1.f, dec[c]);
                axpy4(gEnc[v], 1.f, enc[c]);
            }
        }
        gBias += segmentBias[e];
    }
    finish<V>(team, latent, d4, w, gDec, gEnc, (float)gBias, decScale[latent], projectFirst, decOut, encOut, bias,
              norm2);
}

// The bounds say how many threads a block has at most: 4, 16 or 32 warps. So the
// driver's compiler gives a thread no more registers than an SM has for all of them, 65536.
extern "C" __global__ void __launch_bounds__(128, 1) backward1(BACKWARD_PARAMS) { backward<1>(BACKWARD_ARGS); }
extern "C" __global__ void __launch_bounds__(128, 1) backward2(BACKWARD_PARAMS) { backward<2>(BACKWARD_ARGS); }
extern "C" __global__ void __launch_bounds__(128, 1) backward3(BACKWARD_PARAMS) { backward<3>(BACKWARD_ARGS); }
extern "C" __global__ void __launch_bounds__(512, 1) backward4(BACKWARD_PARAMS) { backward<4>(BACKWARD_ARGS); }
extern "C" __global__ void __launch_bounds__(1024, 1) backward_wide(BACKWARD_PARAMS) { backward<4>(BACKWARD_ARGS); }
extern "C" __global__ void __launch_bounds__(128, 1) rejoin1(REJOIN_PARAMS) { rejoin<1>(REJOIN_ARGS); }
extern "C" __global__ void __launch_bounds__(128, 1) rejoin2(REJOIN_PARAMS) { rejoin<2>(REJOIN_ARGS); }
extern "C" __global__ void __launch_bounds__(128, 1) rejoin3(REJOIN_PARAMS) { rejoin<3>(REJOIN_ARGS); }
extern "C" __global__ void __launch_bounds__(512, 1) rejoin4(REJOIN_PARAMS) { rejoin<4>(REJOIN_ARGS); }
extern "C" __global__ void __launch_bounds__(1024, 1) rejoin_wide(REJOIN_PARAMS) { rejoin<4>(REJOIN_ARGS); }

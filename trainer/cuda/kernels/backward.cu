#include "common.cuh"

// The gradients of a latent's encoder row, decoder row and bias, from its hits
// in order of token, the decoder's projected. A team of W warps, 32 W threads,
// works on a latent or, where it has more than segment hits, on a segment of
// them; each thread holds V float4 of each row. The row of a token's gradient
// is read once: for its product with the decoder row and for the decoder's sum.

// Team adds up over the threads that work on one latent: threadIdx.x counts
// them. Teams of more than a warp are alone in their block.
struct Team {
    float *part;  // [2][3][32] in shared memory
    int warps, turn;
    __device__ __forceinline__ void sum(float &a, float &b, float &c) {
        a = warpSum(a);
        b = warpSum(b);
        c = warpSum(c);
        if (warps == 1) return;
        float *p = part + 96 * turn;
        turn ^= 1;
        if ((threadIdx.x & 31) == 0) {
            int w = threadIdx.x >> 5;
            p[w] = a;
            p[32 + w] = b;
            p[64 + w] = c;
        }
        __syncthreads();
        a = b = c = 0.f;
        for (int w = 0; w < warps; w++) {
            a += p[w];
            b += p[32 + w];
            c += p[64 + w];
        }
    }
    __device__ __forceinline__ float sum(float a) {
        a = warpSum(a);
        if (warps == 1) return a;
        float *p = part + 96 * turn;
        turn ^= 1;
        if ((threadIdx.x & 31) == 0) p[threadIdx.x >> 5] = a;
        __syncthreads();
        a = 0.f;
        for (int w = 0; w < warps; w++) a += p[w];
        return a;
    }
};

// end projects latent f's decoder gradient, stores the gradients and gives their
// squared norm as the recipe has it: before the projection, or after it with
// projectFirst, whose projection divides the row by its norm + 1e-6.
template <int V>
__device__ __forceinline__ void end(Team &team, int f, int d4, const float4 *w, float4 *gDec, float4 *gEnc, float gBias,
                                    float unit, int projectFirst, float4 *decOut, float4 *encOut, float *bias,
                                    double *norm2) {
    int team32 = 32 * team.warps;
    float along = 0, ofDec = 0, ofRow = 0;
#pragma unroll
    for (int v = 0; v < V; v++) {
        along += dot4(gDec[v], w[v]);
        ofDec += dot4(gDec[v], gDec[v]);
        ofRow += dot4(w[v], w[v]);
    }
    team.sum(along, ofDec, ofRow);
    if (projectFirst) unit = (float)(1.0 / (sqrt((double)ofRow) + 1e-6));
    float back = -along * unit * unit;
    float after = 0, ofEnc = 0, none = 0;
#pragma unroll
    for (int v = 0; v < V; v++) {
        int c = v * team32 + threadIdx.x;
        axpy4(gDec[v], back, w[v]);
        after += dot4(gDec[v], gDec[v]);
        ofEnc += dot4(gEnc[v], gEnc[v]);
        if (c < d4) {
            decOut[(i64)f * d4 + c] = gDec[v];
            encOut[(i64)f * d4 + c] = gEnc[v];
        }
    }
    team.sum(after, ofEnc, none);
    if (threadIdx.x == 0) {
        bias[f] = gBias;
        norm2[f] = (double)ofEnc + (double)gBias * gBias + (double)(projectFirst ? after : ofDec);
    }
}

#define BACKWARD_IN                                                                                                       \
    const float4 *__restrict__ residual, const float4 *__restrict__ left, const float4 *__restrict__ centred,             \
        const float4 *__restrict__ wDec, const float *__restrict__ unit, const u8 *__restrict__ dead,                     \
        const int *__restrict__ start, const int2 *__restrict__ extra, const int *__restrict__ token,                     \
        const float *__restrict__ act, int maxExtras, int segment, int f, int d4, int projectFirst, const Totals *t,      \
        float4 *__restrict__ decOut, float4 *__restrict__ encOut, float *__restrict__ bias, double *__restrict__ norm2,   \
        float4 *__restrict__ spare, float *__restrict__ spareBias
#define BACKWARD_ON                                                                                                       \
    residual, left, centred, wDec, unit, dead, start, extra, token, act, maxExtras, segment, f, d4, projectFirst, t,      \
        decOut, encOut, bias, norm2, spare, spareBias

template <int V>
__device__ __forceinline__ void backward(BACKWARD_IN) {
    __shared__ float part[192];
    Team team = {part, (int)blockDim.x >> 5, 0};
    int team32 = blockDim.x;
    int item = blockIdx.x * blockDim.y + threadIdx.y, latent = item - maxExtras, nth = 0;
    if (item < maxExtras) {  // the long ones first
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
    const float4 *rows = isDead || t->mainIsLeft ? left : residual;
    float scale = isDead ? t->auxScale : t->mainScale;
    float back = scale * unit[latent];
    float4 w[V], gDec[V], gEnc[V];
#pragma unroll
    for (int v = 0; v < V; v++) {
        int c = v * team32 + threadIdx.x;
        w[v] = c < d4 ? wDec[(i64)latent * d4 + c] : zero4();
        gDec[v] = gEnc[v] = zero4();
    }
    double gBias = 0;
    for (int i = from; i < to; i++) {
        i64 row = (i64)token[i] * d4;
        float a = act[i] * scale, dot = 0.f;
        float4 r[V], x[V];
#pragma unroll
        for (int v = 0; v < V; v++) {
            int c = v * team32 + threadIdx.x;
            r[v] = c < d4 ? rows[row + c] : zero4();
            x[v] = c < d4 ? centred[row + c] : zero4();
        }
#pragma unroll
        for (int v = 0; v < V; v++) dot += dot4(r[v], w[v]);
        dot = team.sum(dot) * back;
        gBias += dot;
#pragma unroll
        for (int v = 0; v < V; v++) {
            axpy4(gDec[v], a, r[v]);
            axpy4(gEnc[v], dot, x[v]);
        }
    }
    if (!split) {
        end<V>(team, latent, d4, w, gDec, gEnc, (float)gBias, unit[latent], projectFirst, decOut, encOut, bias, norm2);
        return;
    }
    // The first segment leaves its sums where the gradients go, the others in
    // spare: decoder rows, then encoder rows.
    float4 *toDec = nth ? spare + (i64)item * 2 * d4 : decOut + (i64)latent * d4;
    float4 *toEnc = nth ? toDec + d4 : encOut + (i64)latent * d4;
#pragma unroll
    for (int v = 0; v < V; v++) {
        int c = v * team32 + threadIdx.x;
        if (c < d4) {
            toDec[c] = gDec[v];
            toEnc[c] = gEnc[v];
        }
    }
    if (threadIdx.x == 0) *(nth ? spareBias + item : bias + latent) = (float)gBias;
}

// rejoin adds the segments of split latents in order and ends them.
#define REJOIN_IN                                                                                                         \
    const float4 *__restrict__ wDec, const float *__restrict__ unit, const int *__restrict__ start,                       \
        const int2 *__restrict__ extra, int segment, int d4, int projectFirst, const Totals *t,                           \
        float4 *__restrict__ decOut, float4 *__restrict__ encOut, float *__restrict__ bias, double *__restrict__ norm2,   \
        const float4 *__restrict__ spare, const float *__restrict__ spareBias
#define REJOIN_ON                                                                                                         \
    wDec, unit, start, extra, segment, d4, projectFirst, t, decOut, encOut, bias, norm2, spare, spareBias

template <int V>
__device__ __forceinline__ void rejoin(REJOIN_IN) {
    __shared__ float part[192];
    Team team = {part, (int)blockDim.x >> 5, 0};
    int team32 = blockDim.x;
    int item = blockIdx.x * blockDim.y + threadIdx.y;
    if (item >= t->extras || extra[item].y != 1) return;
    int latent = extra[item].x;
    int extras = (start[latent + 1] - start[latent] - 1) / segment;
    float4 w[V], gDec[V], gEnc[V];
#pragma unroll
    for (int v = 0; v < V; v++) {
        int c = v * team32 + threadIdx.x;
        bool in = c < d4;
        w[v] = in ? wDec[(i64)latent * d4 + c] : zero4();
        gDec[v] = in ? decOut[(i64)latent * d4 + c] : zero4();
        gEnc[v] = in ? encOut[(i64)latent * d4 + c] : zero4();
    }
    double gBias = bias[latent];
    for (int e = item; e < item + extras; e++) {
        const float4 *dec = spare + (i64)e * 2 * d4, *enc = dec + d4;
#pragma unroll
        for (int v = 0; v < V; v++) {
            int c = v * team32 + threadIdx.x;
            if (c < d4) {
                axpy4(gDec[v], 1.f, dec[c]);
                axpy4(gEnc[v], 1.f, enc[c]);
            }
        }
        gBias += spareBias[e];
    }
    end<V>(team, latent, d4, w, gDec, gEnc, (float)gBias, unit[latent], projectFirst, decOut, encOut, bias, norm2);
}

extern "C" __global__ void backward1(BACKWARD_IN) { backward<1>(BACKWARD_ON); }
extern "C" __global__ void backward2(BACKWARD_IN) { backward<2>(BACKWARD_ON); }
extern "C" __global__ void backward3(BACKWARD_IN) { backward<3>(BACKWARD_ON); }
extern "C" __global__ void backward4(BACKWARD_IN) { backward<4>(BACKWARD_ON); }
extern "C" __global__ void rejoin1(REJOIN_IN) { rejoin<1>(REJOIN_ON); }
extern "C" __global__ void rejoin2(REJOIN_IN) { rejoin<2>(REJOIN_ON); }
extern "C" __global__ void rejoin3(REJOIN_IN) { rejoin<3>(REJOIN_ON); }
extern "C" __global__ void rejoin4(REJOIN_IN) { rejoin<4>(REJOIN_ON); }

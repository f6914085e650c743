#include "common.cuh"

// The gradients of a latent's encoder row, decoder row and bias, from its hits
// in order of token, the decoder's projected. A team of W warps, 32 W threads,
// works on a latent or, where it has more than segment hits, on a segment of
// them; each thread holds V float4 of each row. The row of a token's gradient
// is read once: for its product with the decoder row and for the decoder's sum.

// Team adds up over the threads that work on one latent: threadIdx.x counts
// them. Teams of more than a warp are alone in their block.
struct Team {
    float *part;  // [2][4][32] in shared memory
    int warps, turn;

    template <int N>
    __device__ __forceinline__ void sum(float (&v)[N]) {
#pragma unroll
        for (int i = 0; i < N; i++) v[i] = warpSum(v[i]);
        if (warps == 1) return;
        float *p = part + 128 * turn;  // the other one may still be read
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

// end projects latent f's decoder gradient, stores the gradients and gives their
// squared norm as the recipe has it: before the projection, or after it with
// projectFirst, whose projection divides the row by its norm + 1e-6.
template <int V>
__device__ __forceinline__ void end(Team &team, int f, int d4, const float4 *w, float4 *gDec, float4 *gEnc, float gBias,
                                    float unit, int projectFirst, float4 *decOut, float4 *encOut, float *bias,
                                    double *norm2) {
    int team32 = 32 * team.warps;
    float sums[4] = {0.f, 0.f, 0.f, 0.f};  // gradient · row, and squared norms: decoder gradient, row, encoder gradient
#pragma unroll
    for (int v = 0; v < V; v++) {
        sums[0] += dot4(gDec[v], w[v]);
        sums[1] += dot4(gDec[v], gDec[v]);
        sums[2] += dot4(w[v], w[v]);
        sums[3] += dot4(gEnc[v], gEnc[v]);
    }
    team.sum(sums);
    if (projectFirst) unit = (float)(1.0 / (sqrt((double)sums[2]) + 1e-6));
    float back = -sums[0] * unit * unit;
    float after[1] = {0.f};
#pragma unroll
    for (int v = 0; v < V; v++) {
        int c = v * team32 + threadIdx.x;
        axpy4(gDec[v], back, w[v]);
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
    __shared__ float part[256];
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
        float a = act[i] * scale, dot[1] = {0.f};
        float4 r[V], x[V];
#pragma unroll
        for (int v = 0; v < V; v++) {
            int c = v * team32 + threadIdx.x;
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
    __shared__ float part[256];
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

// Bounds keep a team's registers within those of an SM, 65536, whatever the
// driver's compiler makes of the PTX: teams of 3, 16 and 32 warps at most.
extern "C" __global__ void __launch_bounds__(128, 1) backward1(BACKWARD_IN) { backward<1>(BACKWARD_ON); }
extern "C" __global__ void __launch_bounds__(128, 1) backward2(BACKWARD_IN) { backward<2>(BACKWARD_ON); }
extern "C" __global__ void __launch_bounds__(128, 1) backward3(BACKWARD_IN) { backward<3>(BACKWARD_ON); }
extern "C" __global__ void __launch_bounds__(512, 1) backward4(BACKWARD_IN) { backward<4>(BACKWARD_ON); }
extern "C" __global__ void __launch_bounds__(1024, 1) backward_wide(BACKWARD_IN) { backward<4>(BACKWARD_ON); }
extern "C" __global__ void __launch_bounds__(128, 1) rejoin1(REJOIN_IN) { rejoin<1>(REJOIN_ON); }
extern "C" __global__ void __launch_bounds__(128, 1) rejoin2(REJOIN_IN) { rejoin<2>(REJOIN_ON); }
extern "C" __global__ void __launch_bounds__(128, 1) rejoin3(REJOIN_IN) { rejoin<3>(REJOIN_ON); }
extern "C" __global__ void __launch_bounds__(512, 1) rejoin4(REJOIN_IN) { rejoin<4>(REJOIN_ON); }
extern "C" __global__ void __launch_bounds__(1024, 1) rejoin_wide(REJOIN_IN) { rejoin<4>(REJOIN_ON); }

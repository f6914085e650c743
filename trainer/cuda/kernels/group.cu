#include "common.cuh"

// Hits, activations above 0, are grouped by latent: those of latent f are
// entries start[f] up to start[f+1], in order of token. A latent with more than
// segment hits is worked on in segments; those beyond its first are listed.

#define SCAN 1024  // latents in a block of the scan

struct Sum3 { int hits, extras, dying; };

__device__ __forceinline__ Sum3 add3(Sum3 a, Sum3 b) { return {a.hits + b.hits, a.extras + b.extras, a.dying + b.dying}; }

__device__ __forceinline__ Sum3 ofLatent(const int *hits, const u8 *dying, int i, int f, int segment) {
    if (i >= f) return {0, 0, 0};
    int n = hits[i];
    return {n, n > segment ? (n - 1) / segment : 0, dying ? (int)dying[i] : 0};
}

// before3 is the sum over the threads of a block before this one.
__device__ __forceinline__ Sum3 before3(Sum3 v, Sum3 *warps) {
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    Sum3 upTo = v;
#pragma unroll
    for (int o = 1; o < 32; o <<= 1) {
        Sum3 other = {__shfl_up_sync(FULL, upTo.hits, o), __shfl_up_sync(FULL, upTo.extras, o), __shfl_up_sync(FULL, upTo.dying, o)};
        if (lane >= o) upTo = add3(upTo, other);
    }
    if (lane == 31) warps[warp] = upTo;
    __syncthreads();
    Sum3 s = {upTo.hits - v.hits, upTo.extras - v.extras, upTo.dying - v.dying};
    for (int w = 0; w < warp; w++) s = add3(s, warps[w]);
    return s;
}

// scan_blocks sums blocks of SCAN latents, four a thread.
extern "C" __global__ void scan_blocks(const int *hits, const u8 *dying, int f, int segment, int *sums) {
    __shared__ Sum3 warps[SCAN / 128];
    Sum3 v = {0, 0, 0};
    for (int j = 0; j < 4; j++) v = add3(v, ofLatent(hits, dying, blockIdx.x * SCAN + threadIdx.x * 4 + j, f, segment));
    Sum3 s = add3(before3(v, warps), v);
    if (threadIdx.x == blockDim.x - 1) {
        sums[3 * blockIdx.x] = s.hits;
        sums[3 * blockIdx.x + 1] = s.extras;
        sums[3 * blockIdx.x + 2] = s.dying;
    }
}

// scan writes start [f+1], the list of extra segments as pairs (latent,
// segment), and the dying latents, rising; dying may be null.
extern "C" __global__ void scan(const int *hits, const u8 *dying, int f, int segment, const int *sums, int *start, int2 *extra, int *dyingList,
                                Totals *t) {
    __shared__ Sum3 warps[SCAN / 128];
    __shared__ int base[3];
    // The blocks before this one, in one warp.
    if (threadIdx.x < 32) {
        Sum3 b = {0, 0, 0};
        for (int i = threadIdx.x; i < (int)blockIdx.x; i += 32) b = add3(b, {sums[3 * i], sums[3 * i + 1], sums[3 * i + 2]});
#pragma unroll
        for (int o = 16; o > 0; o >>= 1) {
            b.hits += __shfl_xor_sync(FULL, b.hits, o);
            b.extras += __shfl_xor_sync(FULL, b.extras, o);
            b.dying += __shfl_xor_sync(FULL, b.dying, o);
        }
        if (threadIdx.x == 0) {
            base[0] = b.hits;
            base[1] = b.extras;
            base[2] = b.dying;
        }
    }
    Sum3 each[4], v = {0, 0, 0};
    int first = blockIdx.x * SCAN + threadIdx.x * 4;
    for (int j = 0; j < 4; j++) {
        each[j] = ofLatent(hits, dying, first + j, f, segment);
        v = add3(v, each[j]);
    }
    Sum3 s = before3(v, warps);  // its barrier also publishes base
    s = add3(s, {base[0], base[1], base[2]});
    for (int j = 0; j < 4 && first + j < f; j++) {
        start[first + j] = s.hits;
        for (int e = 0; e < each[j].extras; e++) extra[s.extras + e] = make_int2(first + j, e + 1);
        if (each[j].dying) dyingList[s.dying] = first + j;
        s = add3(s, each[j]);
        if (first + j == f - 1) {
            start[f] = s.hits;
            t->extras = s.extras;
        }
    }
}

// scatter puts the hits of [rows,k] in their latents' places, in any order, and
// counts left down to 0.
extern "C" __global__ void scatter(const float *acts, const int *latents, i64 n, int k, const int *start, int *left, int *token, float *act) {
    i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float a = acts[i];
    if (!(a > 0.f)) return;
    int f = latents[i];
    int p = start[f] + atomicAdd(&left[f], -1) - 1;
    token[p] = (int)(i / k);
    act[p] = a;
}

// order sorts each latent's hits by token; the tokens of a latent differ. One
// warp, one latent: by comparison up to 32 hits, and above that by the place of
// a token's bit in a map of the batch, a window of which is in shared memory.
#define ORDER_WARPS 4
#define WINDOW 128  // words of the map: 4096 tokens

extern "C" __global__ void order(const int *start, int f, int b, const int *token, const float *act, int *toToken, float *toAct) {
    __shared__ u32 maps[ORDER_WARPS][WINDOW];
    __shared__ int ranks[ORDER_WARPS][WINDOW];
    int i = blockIdx.x * ORDER_WARPS + threadIdx.y, lane = threadIdx.x;
    if (i >= f) return;
    int from = start[i], n = start[i + 1] - from;
    if (n == 0) return;
    token += from;
    act += from;
    toToken += from;
    toAct += from;
    if (n <= 32) {
        int mine = lane < n ? token[lane] : 0x7fffffff, rank = 0;
        for (int j = 0; j < n; j++) rank += __shfl_sync(FULL, mine, j) < mine;
        if (lane < n) {
            toToken[rank] = mine;
            toAct[rank] = act[lane];
        }
        return;
    }
    u32 *map = maps[threadIdx.y];
    int *rank = ranks[threadIdx.y];
    int done = 0;
    for (int window = 0; window < b; window += 32 * WINDOW) {
        for (int w = lane; w < WINDOW; w += 32) map[w] = 0;
        __syncwarp();
        for (int j = lane; j < n; j += 32) {
            int t = token[j] - window;
            if (t >= 0 && t < 32 * WINDOW) atomicOr(&map[t >> 5], 1u << (t & 31));
        }
        __syncwarp();
        // Lane l ranks words 4l to 4l+3.
        int c[4], sum = 0;
        for (int e = 0; e < 4; e++) {
            c[e] = __popc(map[4 * lane + e]);
            sum += c[e];
        }
        int upTo = sum;
#pragma unroll
        for (int o = 1; o < 32; o <<= 1) {
            int below = __shfl_up_sync(FULL, upTo, o);
            if (lane >= o) upTo += below;
        }
        int at = done + upTo - sum;
        for (int e = 0; e < 4; e++) {
            rank[4 * lane + e] = at;
            at += c[e];
        }
        done += __shfl_sync(FULL, upTo, 31);
        __syncwarp();
        for (int j = lane; j < n; j += 32) {
            int t = token[j] - window;
            if (t >= 0 && t < 32 * WINDOW) {
                int p = rank[t >> 5] + __popc(map[t >> 5] & ((1u << (t & 31)) - 1u));
                toToken[p] = token[j];
                toAct[p] = act[j];
            }
        }
        __syncwarp();
    }
}

#include "common.cuh"

// Groups the hits of a batch by latent. A hit is an activation above 0. Afterwards the hits of
// latent f are entries start[f] up to start[f+1] - 1 of token and act, in order of token. The
// backward pass works on segments of at most segment hits of a latent. The segments beyond a
// latent's first are listed in extra, as pairs (latent, segment).
//
// An example with 4 latents and segments of 2 hits:
//
//     hits     latent 0 in tokens 3 1 4, latent 2 in token 0, latent 3 in tokens 3 2
//     scan     counts 3 0 1 2 give start 0 3 3 4 6, and extra (0, 1): a second segment of 0
//     scatter  token  4 1 3   0   3 2     in any order inside a latent
//     order    token  1 3 4   0   2 3
//
// Latent 0 then has segments 1 3 and 4.

#define SCAN 1024  // latents of a block of the scan, four a thread

// What is counted of some latents: both are summed in one scan.
struct Counts { int hits, extras; };

__device__ __forceinline__ Counts add(Counts a, Counts b) {
    return {a.hits + b.hits, a.extras + b.extras};
}

__device__ __forceinline__ Counts countsOf(const int *hits, int i, int f, int segment) {
    if (i >= f) return {0, 0};
    int n = hits[i];
    return {n, n > segment ? (n - 1) / segment : 0};
}

// sumBefore returns the sum over the threads of the block that come before this one. warps is
// shared memory with an element for each warp.
__device__ __forceinline__ Counts sumBefore(Counts v, Counts *warps) {
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    Counts upTo = v;
#pragma unroll
    for (int o = 1; o < 32; o <<= 1) {
        Counts other = {
            __shfl_up_sync(FULL, upTo.hits, o),
            __shfl_up_sync(FULL, upTo.extras, o),
        };
        if (lane >= o) upTo = add(upTo, other);
    }
    if (lane == 31) warps[warp] = upTo;
    __syncthreads();
    Counts s = {upTo.hits - v.hits, upTo.extras - v.extras};
    for (int w = 0; w < warp; w++) s = add(s, warps[w]);
    return s;
}

// scan_blocks sums the counts of each block of SCAN latents; sums is [blocks,2].
extern "C" __global__ void scan_blocks(const int *hits, int f, int segment, int *sums) {
    __shared__ Counts warps[SCAN / 128];
    Counts v = {0, 0};
    for (int j = 0; j < 4; j++) {
        v = add(v, countsOf(hits, blockIdx.x * SCAN + threadIdx.x * 4 + j, f, segment));
    }
    Counts s = add(sumBefore(v, warps), v);
    if (threadIdx.x == blockDim.x - 1) {
        sums[2 * blockIdx.x] = s.hits;
        sums[2 * blockIdx.x + 1] = s.extras;
    }
}

// scan writes start [F+1] and the list of extra segments.
extern "C" __global__ void scan(const int *hits, int f, int segment, const int *sums, int *start, int2 *extra,
                                StepTotals *t) {
    __shared__ Counts warps[SCAN / 128];
    __shared__ int base[2];
    // One warp sums the blocks before this one.
    if (threadIdx.x < 32) {
        Counts b = {0, 0};
        for (int i = threadIdx.x; i < (int)blockIdx.x; i += 32) {
            b = add(b, {sums[2 * i], sums[2 * i + 1]});
        }
#pragma unroll
        for (int o = 16; o > 0; o >>= 1) {
            b.hits += __shfl_xor_sync(FULL, b.hits, o);
            b.extras += __shfl_xor_sync(FULL, b.extras, o);
        }
        if (threadIdx.x == 0) {
            base[0] = b.hits;
            base[1] = b.extras;
        }
    }
    Counts each[4], v = {0, 0};
    int first = blockIdx.x * SCAN + threadIdx.x * 4;
    for (int j = 0; j < 4; j++) {
        each[j] = countsOf(hits, first + j, f, segment);
        v = add(v, each[j]);
    }
    Counts s = sumBefore(v, warps);  // its barrier also publishes base
    s = add(s, {base[0], base[1]});
    for (int j = 0; j < 4 && first + j < f; j++) {
        start[first + j] = s.hits;
        for (int e = 0; e < each[j].extras; e++) extra[s.extras + e] = make_int2(first + j, e + 1);
        s = add(s, each[j]);
        if (first + j == f - 1) {
            start[f] = s.hits;
            t->extras = s.extras;
        }
    }
}

// scatter writes the hits among acts, [rows,k] with n = rows * k numbers, to their latents'
// entries, in any order. left holds each latent's number of hits that are not written yet,
// which becomes 0.
extern "C" __global__ void scatter(const float *acts, const int *latents, i64 n, int k, const int *start, int *left,
                                   int *token, float *act) {
    i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float a = acts[i];
    if (!(a > 0.f)) return;
    int f = latents[i];
    int p = start[f] + atomicAdd(&left[f], -1) - 1;
    token[p] = (int)(i / k);
    act[p] = a;
}

// order sorts each latent's hits by token. The tokens of a latent differ. One warp works on
// one latent. Up to 32 hits, a hit's rank is the number of hits with a smaller token. With
// more, the tokens are bits of a map of the batch, of which shared memory holds a window at a
// time. Tokens 6 1 4 set bits 1, 4 and 6; the rank of token 4 is the number of set bits below
// bit 4, which is 1.
#define ORDER_WARPS 4
#define WINDOW 128  // words of a window: 4096 tokens

extern "C" __global__ void order(const int *start, int f, int b, const int *token, const float *act, int *toToken,
                                 float *toAct) {
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
    int *rank = ranks[threadIdx.y];  // rank[w]: hits with tokens below those of word w
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

#include "common.cuh"

// The exact k largest of each row, where the pre-activations come in chunks of latents.
//
// A warp works on one row. It gathers candidates in rising order of latent and has room for a
// limited number of them. When there is no more room it prunes the candidates to the k
// largest. The smallest of these becomes the cutoff, which a later value must exceed. So each
// pre-activation is read once, and after the first chunks hardly anything is written.
//
// An example with k = 2, room for 4 candidates, and two values at a time (in truth 128):
//
//     latents  values   candidates afterwards      cutoff
//     0 1      .3 .9    0:.3 1:.9                  0
//     2 3      .2 .5    0:.3 1:.9 2:.2 3:.5        0
//     4 5      .4 .6    1:.9 3:.5 5:.6             .5      no room: pruned to 1 and 3 first
//     6 7      .6 .1    1:.9 5:.6                  .6      no room: pruned to 1 and 5 first
//
// Latent 4 is not above the cutoff .5. Latent 6 is not above .6: of two equal values the lower
// latent wins. The result is latents 1 and 5.
//
// Values are compared as the bits of ReLU(v), which are integers that rise with the value. A
// NaN of either sign counts as larger than infinity, so that it is always selected and found.

#define TOPK_WARPS 4  // rows of a block

__device__ __forceinline__ int reluBits(float v) {
    if (v > 0.f) return (int)__float_as_uint(v);
    return v == v ? 0 : 0x7fc00000;
}

// kthLargest returns the k-th largest of n >= k numbers, and in need how many of the numbers
// that equal it belong to the k largest. It is a radix selection, eight bits a pass.
//
// An example with decimal digits: the third largest of 52 91 57 13 55. First digits: one
// number begins with 9, three with 5. So it begins with 5, and is the second largest of these.
// Second digits of 52 57 55: one is 7, one is 5. So it is 55, and need is 1.
__device__ __forceinline__ int kthLargest(const int *bits, int n, int k, int *hist, int &need) {
    int lane = threadIdx.x;
    u32 prefix = 0, mask = 0;
    need = k;
    for (int shift = 24; shift >= 0; shift -= 8) {
        for (int i = lane; i < 256; i += 32) hist[i] = 0;
        __syncwarp();
        for (int i = lane; i < n; i += 32) {
            u32 b = (u32)bits[i];
            if ((b & mask) == prefix) atomicAdd(&hist[(b >> shift) & 255u], 1);
        }
        __syncwarp();
        // Lane l has bins 255-8l down to 248-8l: lane 0 has the largest.
        int top = 255 - 8 * lane, sum = 0;
        for (int j = 0; j < 8; j++) sum += hist[top - j];
        int upTo = sum;  // of this lane and those below it
#pragma unroll
        for (int o = 1; o < 32; o <<= 1) {
            int below = __shfl_up_sync(FULL, upTo, o);
            if (lane >= o) upTo += below;
        }
        int before = upTo - sum;
        bool mine = before < need && need <= upTo;
        int bin = 0, rest = 0;
        if (mine) {
            rest = need - before;
            bin = top;
            while (rest > hist[bin]) rest -= hist[bin--];
        }
        int owner = __ffs((int)__ballot_sync(FULL, mine)) - 1;
        bin = __shfl_sync(FULL, bin, owner);
        need = __shfl_sync(FULL, rest, owner);
        prefix |= (u32)bin << shift;
        mask |= 255u << shift;
        __syncwarp();
    }
    return (int)prefix;
}

// prune keeps a row's k largest candidates, in order of latent, and returns the smallest of
// them.
__device__ __forceinline__ int prune(int *bits, int *latents, int n, int k, int *hist) {
    int need, least = kthLargest(bits, n, k, hist, need);
    u32 before = (1u << threadIdx.x) - 1u;  // mask of the lanes below this one
    int out = 0, equals = 0;
    for (int base = 0; base < n; base += 32) {
        int i = base + (int)threadIdx.x;
        int b = i < n ? bits[i] : -1, f = i < n ? latents[i] : 0;
        u32 same = __ballot_sync(FULL, b == least);
        bool keep = b > least || (b == least && equals + __popc(same & before) < need);
        equals += __popc(same);
        u32 kept = __ballot_sync(FULL, keep);
        __syncwarp();
        if (keep) {
            int p = out + __popc(kept & before);
            bits[p] = b;
            latents[p] = f;
        }
        out += __popc(kept);
        __syncwarp();
    }
    return least;
}

// topk_chunk takes a chunk of pre-activations, pre_BN, of n latents from latent first on.
//
//     pre      [rows,stride] without bias; bias [n]
//     names    [n] the numbers of the latents, rising; null: first, first + 1, ...
//     allowed  [F] a latent whose byte is 0 is left out; null: none is
//     fresh    1: this is the first chunk of a selection
//     zeros    1: zeros are taken too, and not only positive values
//     bits, latents  [rows,room] the candidates; count [rows] how many; cutoffs [rows]
extern "C" __global__ void topk_chunk(const float *__restrict__ pre, int stride, const float *__restrict__ bias,
                                      int first, int n, const int *names, const u8 *allowed, int fresh, int zeros,
                                      int rows, int k, int room, int *bits, int *latents, int *count,
                                      int *cutoffs) {
    __shared__ int hists[TOPK_WARPS][256];
    int row = blockIdx.x * TOPK_WARPS + threadIdx.y, lane = threadIdx.x;
    if (row >= rows) return;
    int *hist = hists[threadIdx.y];
    const float *in = pre + (i64)row * stride;
    int *myBits = bits + (i64)row * room, *myLatents = latents + (i64)row * room;
    int have = fresh ? 0 : count[row], cutoff = fresh ? (zeros ? -1 : 0) : cutoffs[row];
    u32 before = (1u << lane) - 1u;
    for (int base = 0; base < n; base += 512) {
        float4 v[4];  // four loads in flight
#pragma unroll
        for (int j = 0; j < 4; j++) {
            int c = base + 128 * j + 4 * lane;
            v[j] = c < n ? *reinterpret_cast<const float4 *>(in + c) : zero4();
        }
#pragma unroll
        for (int j = 0; j < 4; j++) {
            if (base + 128 * j >= n) break;
            int c = base + 128 * j + 4 * lane;
            float4 b = c < n ? *reinterpret_cast<const float4 *>(bias + c) : zero4();
            int value[4] = {
                reluBits(v[j].x + b.x), reluBits(v[j].y + b.y), reluBits(v[j].z + b.z), reluBits(v[j].w + b.w),
            };
            bool take[4];
            bool some = false;
#pragma unroll
            for (int e = 0; e < 4; e++) {
                take[e] = c + e < n && value[e] > cutoff;
                some |= take[e];
            }
            if (__ballot_sync(FULL, some) == 0) continue;
            if (have + 128 > room) {
                __syncwarp();
                cutoff = max(cutoff, prune(myBits, myLatents, have, k, hist));
                have = k;
            }
            u32 taken[4];
#pragma unroll
            for (int e = 0; e < 4; e++) {
                take[e] = take[e] && value[e] > cutoff;
                if (take[e] && allowed) take[e] = allowed[names ? names[c + e] : first + c + e] != 0;
                taken[e] = __ballot_sync(FULL, take[e]);
            }
            int p = have;
#pragma unroll
            for (int e = 0; e < 4; e++) p += __popc(taken[e] & before);
#pragma unroll
            for (int e = 0; e < 4; e++) {
                if (take[e]) {
                    myBits[p] = value[e];
                    myLatents[p] = names ? names[c + e] : first + c + e;
                    p++;
                }
                have += __popc(taken[e]);
            }
        }
    }
    if (lane == 0) {
        count[row] = have;
        cutoffs[row] = cutoff;
    }
}

// topk_finish writes each row's k largest values and their latents, in order of latent. Where
// a row has fewer candidates, zeros follow. The other outputs may be null, but for nanRow:
//
//     hits       [F] += 1 for each value above 0
//     zeroPicks  [F] += 1 for each 0 that was selected
//     smallest   [rows] smallest positive value, or infinity
//     nanRow     rows - row for the first row with a NaN, if that is larger than what is there
extern "C" __global__ void topk_finish(int rows, int k, int room, int *bits, int *latents, int *count, float *acts,
                                       int *chosen, int *hits, int *zeroPicks, float *smallest, int *nanRow) {
    __shared__ int hists[TOPK_WARPS][256];
    int row = blockIdx.x * TOPK_WARPS + threadIdx.y, lane = threadIdx.x;
    if (row >= rows) return;
    int *myBits = bits + (i64)row * room, *myLatents = latents + (i64)row * room;
    int have = count[row];
    if (have > k) {
        prune(myBits, myLatents, have, k, hists[threadIdx.y]);
        have = k;
    }
    float least = __uint_as_float(0x7f800000u);
    bool nan = false;
    for (int i = lane; i < k; i += 32) {
        int b = i < have ? myBits[i] : 0, f = i < have ? myLatents[i] : 0;
        float a = __uint_as_float((u32)b);
        acts[(i64)row * k + i] = a;
        chosen[(i64)row * k + i] = f;
        nan |= b > 0x7f800000;
        if (a > 0.f) {
            if (hits) atomicAdd(&hits[f], 1);
            least = fminf(least, a);
        } else if (zeroPicks && i < have) {
            atomicAdd(&zeroPicks[f], 1);
        }
    }
    if (smallest) {
#pragma unroll
        for (int o = 16; o > 0; o >>= 1) least = fminf(least, __shfl_xor_sync(FULL, least, o));
        if (lane == 0) smallest[row] = least;
    }
    if (__ballot_sync(FULL, nan) != 0 && lane == 0) atomicMax(nanRow, rows - row);
}

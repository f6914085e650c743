#include "common.cuh"
#include "rounding.cuh"

// Each token's k largest pre-activations: candidates come from the bounds of screen.cu, and
// their values are float32 sums in an order that depends on D alone.
//
// Values are compared as the bits of ReLU(v), which are integers that rise with the value. A
// NaN of either sign counts as larger than infinity, so that it is always selected and found.
// Of two equal values the lower latent wins.
//
// A token is undecided where it cannot be screened, or has more candidates than there is room
// for. Then choose_rest computes all of its pre-activations.

#define CHOOSE_THREADS 128
#define CHOOSE_WARPS 4

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

// keep keeps the candidates above least, and the first need of those that equal it, in their
// order, and returns how many these are. One warp calls it.
__device__ __forceinline__ int keep(int *bits, int *latents, int n, int least, int need) {
    u32 before = (1u << threadIdx.x) - 1u;  // mask of the lanes below this one
    int out = 0, equals = 0;
    for (int base = 0; base < n; base += 32) {
        int i = base + (int)threadIdx.x;
        int b = i < n ? bits[i] : -1, f = i < n ? latents[i] : 0;
        u32 same = __ballot_sync(FULL, b == least);
        bool keeps = b > least || (b == least && equals + __popc(same & before) < need);
        equals += __popc(same);
        u32 kept = __ballot_sync(FULL, keeps);
        __syncwarp();
        if (keeps) {
            int p = out + __popc(kept & before);
            bits[p] = b;
            latents[p] = f;
        }
        out += __popc(kept);
        __syncwarp();
    }
    return out;
}

// prune keeps a row's k largest candidates, in order of latent, and returns the smallest of
// them.
__device__ __forceinline__ int prune(int *bits, int *latents, int n, int k, int *hist) {
    int need, least = kthLargest(bits, n, k, hist, need);
    keep(bits, latents, n, least, need);
    return least;
}

// fourDots returns x·w[lane / 8] for rows of d4 float4. Lane l adds the products of float4 l, l + 32
// and so on. Then the lanes' sums are added in the order of warpSum: first those of lanes l and
// l ^ 16, then l ^ 8 and so on. A lane adds only what its own row needs: 6 shuffles and not 20.
__device__ __forceinline__ float fourDots(const float4 *__restrict__ x, const float4 *const (&w)[4], int d4) {
    float sum[4] = {0.f, 0.f, 0.f, 0.f};
    int lane = threadIdx.x & 31;
#pragma unroll 2
    for (int c = lane; c < d4; c += 32) {
        float4 a = x[c];
#pragma unroll
        for (int j = 0; j < 4; j++) {
            float4 b = w[j][c];
            sum[j] = fmaf(a.x, b.x, fmaf(a.y, b.y, fmaf(a.z, b.z, fmaf(a.w, b.w, sum[j]))));
        }
    }
    bool high = lane & 16;  // keeps rows 2 and 3
    float even = high ? sum[2] : sum[0], odd = high ? sum[3] : sum[1];
    even += __shfl_xor_sync(FULL, high ? sum[0] : sum[2], 16);
    odd += __shfl_xor_sync(FULL, high ? sum[1] : sum[3], 16);
    high = lane & 8;  // keeps the odd row
    float v = high ? odd : even;
    v += __shfl_xor_sync(FULL, high ? even : odd, 8);
#pragma unroll
    for (int o = 4; o > 0; o >>= 1) v += __shfl_xor_sync(FULL, v, o);
    return v;
}

// What both kernels take. The first four are inputs: x [rows,d4] are the tokens, w [f,d4] and
// bias [f] the encoder, and allowed is as in screen.cu.
//
//     zeros      1: zeros are selected too where a row has fewer than k positive values: those of
//                the lowest latents. They come last
//     bits, latents  [rows,room] memory for candidates
//     acts, chosen   [rows,k] the positive values in order of latent; zeros follow
//     undecided  how many rows are undecided, and then which
//
// The others may be null, but for nanRow:
//
//     hits       [F] += 1 for each value above 0
//     zeroPicks  [F] += 1 for each 0 that was selected
//     smallest   [rows] smallest positive value, or infinity
//     nanRow     last - row for the first row with a NaN, if that is larger than what is there
#define CHOOSE_PARAMS                                                                                                 \
    const float4 *__restrict__ x, const float4 *__restrict__ w, const float *__restrict__ bias,                       \
        const u8 *__restrict__ allowed, int f, int d4, int k, int room, int zeros, int last, int *bits, int *latents, \
        float *acts, int *chosen, int *hits, int *zeroPicks, float *smallest, int *nanRow, int *undecided

// emit writes the result of a row with have candidates, which are in order of latent. One warp
// calls it, with the row's parts of bits, latents, acts and chosen.
__device__ __forceinline__ void emit(int row, int have, int *hist, const u8 *allowed, int f, int k, int zeros, int last,
                                     int *bits, int *latents, float *acts, int *chosen, int *hits, int *zeroPicks,
                                     float *smallest, int *nanRow) {
    int lane = threadIdx.x, positive = 0;
    for (int i = lane; i < have; i += 32) positive += bits[i] > 0;
#pragma unroll
    for (int o = 16; o > 0; o >>= 1) positive += __shfl_xor_sync(FULL, positive, o);
    if (positive < k) {
        have = keep(bits, latents, have, 0, 0);
    } else if (have > k) {
        prune(bits, latents, have, k, hist);
        have = k;
    }
    float least = INFINITE;
    bool nan = false;
    for (int i = lane; i < k; i += 32) {
        int b = i < have ? bits[i] : 0, l = i < have ? latents[i] : 0;
        float a = __uint_as_float((u32)b);
        acts[i] = a;
        chosen[i] = l;
        nan |= b > 0x7f800000;
        if (a > 0.f) {
            if (hits) atomicAdd(&hits[l], 1);
            least = fminf(least, a);
        }
    }
    if (smallest) {
#pragma unroll
        for (int o = 16; o > 0; o >>= 1) least = fminf(least, __shfl_xor_sync(FULL, least, o));
        if (lane == 0) smallest[row] = least;
    }
    if (__ballot_sync(FULL, nan) != 0 && lane == 0) atomicMax(nanRow, last - row);
    if (!zeros) return;
    __syncwarp();
    // All latents but those kept have the value 0.
    u32 before = (1u << lane) - 1u;
    for (int base = 0; have < k && base < f; base += 32) {
        int l = base + lane, lo = 0, hi = positive < k ? positive : 0;
        while (lo < hi) {  // lo: how many kept latents are below l
            int mid = (lo + hi) / 2;
            if (latents[mid] < l) lo = mid + 1; else hi = mid;
        }
        bool kept = lo < positive && latents[lo] == l;
        bool take = l < f && !kept && (!allowed || allowed[l]);
        u32 taken = __ballot_sync(FULL, take);
        int p = have + __popc(taken & before);
        if (take && p < k) {
            chosen[p] = l;  // acts[p] is 0 already
            if (zeroPicks) atomicAdd(&zeroPicks[l], 1);
        }
        have += __popc(taken);
    }
}

// barOf returns a lower bound of the k-th largest of the groups' lower bounds: the first 24 bits
// of it; 0 where fewer than k are positive. It is a radix selection (kthLargest) by the block.
__device__ __forceinline__ float barOf(const float2 *bounds, int groups, int k, int *hist) {
    __shared__ int found[2];
    if (groups < k) return 0.f;
    u32 prefix = 0;
    int need = k;
    for (int shift = 16; shift >= 0; shift -= 8) {
        for (int i = threadIdx.x; i < 256; i += CHOOSE_THREADS) hist[i] = 0;
        __syncthreads();
        for (int g = threadIdx.x; g < groups; g += CHOOSE_THREADS) {
            float v = bounds[g].x;
            u32 key = v > 0.f ? __float_as_uint(v) >> 7 : 0;
            if (shift == 16 || key >> (shift + 8) == prefix) atomicAdd(&hist[key >> shift & 255u], 1);
        }
        __syncthreads();
        if (threadIdx.x < 32) {
            // Lane l has bins 255-8l down to 248-8l: lane 0 has the largest.
            int top = 255 - 8 * threadIdx.x, sum = 0;
            for (int j = 0; j < 8; j++) sum += hist[top - j];
            int upTo = sum;
#pragma unroll
            for (int o = 1; o < 32; o <<= 1) {
                int below = __shfl_up_sync(FULL, upTo, o);
                if ((int)threadIdx.x >= o) upTo += below;
            }
            int rest = need - (upTo - sum);
            if (rest > 0 && need <= upTo) {
                int bin = top;
                while (rest > hist[bin]) rest -= hist[bin--];
                found[0] = bin;
                found[1] = rest;
            }
        }
        __syncthreads();
        prefix = prefix << 8 | (u32)found[0];
        need = found[1];
    }
    return __uint_as_float(prefix << 7);
}

// placeAll gives each of up to N flags of each thread its place among those that are set: those
// of number 0 come first, in order of thread, then those of number 1. It returns how many are
// set. counts has a number for each flag and warp.
template <int N>
__device__ __forceinline__ int placeAll(const bool (&set)[N], int (&place)[N], int *counts) {
    int warp = threadIdx.x >> 5, sum = 0;
    u32 before = (1u << (threadIdx.x & 31)) - 1u;
    __syncthreads();  // an earlier call may still read counts
#pragma unroll
    for (int j = 0; j < N; j++) {
        u32 mask = __ballot_sync(FULL, set[j]);
        place[j] = __popc(mask & before);
        if ((threadIdx.x & 31) == 0) counts[j * CHOOSE_WARPS + warp] = __popc(mask);
    }
    __syncthreads();
#pragma unroll
    for (int j = 0; j < N; j++) {
#pragma unroll
        for (int w = 0; w < CHOOSE_WARPS; w++) {
            if (w == warp) place[j] += sum;
            sum += counts[j * CHOOSE_WARPS + w];
        }
    }
    return sum;
}

// choose makes the selection of the rows that the bounds decide; one block works on one row.
//
//     pre, stride, token, latent  as in screen.cu
//     bounds   [rows,groups] what maxima wrote, for groups of 1 << shift latents
extern "C" __global__ void __launch_bounds__(CHOOSE_THREADS) choose(
    const u16 *__restrict__ pre, int stride, const TokenRounding *__restrict__ token,
    const LatentRounding *__restrict__ latent, const float2 *__restrict__ bounds, int groups, int shift,
    CHOOSE_PARAMS) {
    __shared__ int hist[256], listed[CHOOSE_THREADS], counts[4 * CHOOSE_WARPS];
    int row = blockIdx.x, t = threadIdx.x, warp = t >> 5;
    TokenRounding r = token[row];
    if (!(r.byNorm < INFINITE)) {
        if (t == 0) undecided[1 + atomicAdd(undecided, 1)] = row;
        return;
    }
    pre += (i64)row * stride;
    bounds += (i64)row * groups;
    x += (i64)row * d4;
    bits += (i64)row * room;
    latents += (i64)row * room;
    float bar = barOf(bounds, groups, k, hist);
    // The latents of the groups that reach the bar, a list of some groups at a time.
    int have = 0;
    for (int base = 0; base < groups && have <= room; base += CHOOSE_THREADS) {
        int g = base + t, place[1];
        float upper = g < groups ? bounds[g].y : 0.f;
        bool reaches[1] = {g < groups && upper > 0.f && !(upper < bar)};
        int n = placeAll<1>(reaches, place, counts);
        if (reaches[0]) listed[place[0]] = g;
        __syncthreads();
        for (int at = 0; at < n << shift && have <= room; at += 4 * CHOOSE_THREADS) {
            int l[4], to[4];
            bool take[4];
#pragma unroll
            for (int j = 0; j < 4; j++) {
                int item = at + j * CHOOSE_THREADS + t;
                l[j] = item < n << shift ? (listed[item >> shift] << shift) + (item & ((1 << shift) - 1)) : f;
                take[j] = l[j] < f && (!allowed || allowed[l[j]]);
                if (!take[j]) continue;
                LatentRounding w = latent[l[j]];
                float b = bias[l[j]], s = fmaf(fromHalf(pre[l[j]]) * r.unscale, w.unscale, b);
                float margin = fmaf(ROUNDED, fabsf(s) + fabsf(b), fmaf(r.byNorm, w.norm, r.byError * w.error));
                take[j] = !(s + margin <= 0.f) && !(s + margin < bar);  // also where it is NaN
            }
            int more = placeAll<4>(take, to, counts);
#pragma unroll
            for (int j = 0; j < 4; j++) {
                if (take[j] && have + to[j] < room) latents[have + to[j]] = l[j];
            }
            have += more;
        }
    }
    if (have > room) {
        if (t == 0) undecided[1 + atomicAdd(undecided, 1)] = row;
        return;
    }
    __syncthreads();
    for (int c = 4 * warp; c < have; c += 4 * CHOOSE_WARPS) {
        const float4 *rows[4];
#pragma unroll
        for (int j = 0; j < 4; j++) rows[j] = w + (i64)latents[min(c + j, have - 1)] * d4;
        float v = fourDots(x, rows, d4);
        int i = c + (t & 31) / 8;
        if ((t & 7) == 0 && i < have) bits[i] = reluBits(v + bias[latents[i]]);
    }
    __syncthreads();
    if (warp == 0) {
        emit(row, have, hist, allowed, f, k, zeros, last, bits, latents, acts + (i64)row * k, chosen + (i64)row * k, hits,
             zeroPicks, smallest, nanRow);
    }
}

// choose_rest makes the selection of the undecided rows, from all of their pre-activations. A
// block takes every gridDim.x-th of them. It computes CHOOSE_THREADS pre-activations, and its
// first warp gathers those above the cutoff. When there is no more room it prunes the candidates
// to the k largest; the smallest of these is the new cutoff, which a later value must exceed.
extern "C" __global__ void __launch_bounds__(CHOOSE_THREADS) choose_rest(CHOOSE_PARAMS) {
    __shared__ int hist[256], values[CHOOSE_THREADS];
    int t = threadIdx.x, lane = t & 31, warp = t >> 5;
    u32 before = (1u << lane) - 1u;
    for (int i = blockIdx.x; i < undecided[0]; i += gridDim.x) {
        int row = undecided[1 + i], have = 0, cutoff = 0;
        const float4 *token = x + (i64)row * d4;
        int *myBits = bits + (i64)row * room, *myLatents = latents + (i64)row * room;
        for (int base = 0; base < f; base += CHOOSE_THREADS) {
            for (int c = 32 * warp; c < 32 * warp + 32 && base + c < f; c += 4) {
                const float4 *rows[4];
#pragma unroll
                for (int j = 0; j < 4; j++) rows[j] = w + (i64)min(base + c + j, f - 1) * d4;
                float v = fourDots(token, rows, d4);
                int i = c + lane / 8;
                if (lane % 8 == 0 && base + i < f) values[i] = reluBits(v + bias[base + i]);
            }
            __syncthreads();
            for (int c = 0; warp == 0 && c < CHOOSE_THREADS && base + c < f; c += 32) {
                int l = base + c + lane, b = l < f && (!allowed || allowed[l]) ? values[c + lane] : 0;
                if (__ballot_sync(FULL, b > cutoff) == 0) continue;
                if (have + 32 > room) {
                    __syncwarp();
                    cutoff = max(cutoff, prune(myBits, myLatents, have, k, hist));
                    have = k;
                }
                u32 taken = __ballot_sync(FULL, b > cutoff);
                if (b > cutoff) {
                    int p = have + __popc(taken & before);
                    myBits[p] = b;
                    myLatents[p] = l;
                }
                have += __popc(taken);
            }
            __syncthreads();
        }
        if (warp == 0) {
            emit(row, have, hist, allowed, f, k, zeros, last, myBits, myLatents, acts + (i64)row * k,
                 chosen + (i64)row * k, hits, zeroPicks, smallest, nanRow);
        }
        __syncthreads();
    }
}

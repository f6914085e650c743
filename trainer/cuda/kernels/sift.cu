#include "common.cuh"

// Exact top-k of rows whose pre-activations come in chunks of latents. One warp
// keeps one row: candidates in rising order of latent, of which it holds up to
// room; when they are full it cuts them to the k best, which raises the floor
// that a later value has to exceed. So each pre-activation is read once, and
// after the first chunks hardly anything is written.
//
// A value is known by the bits of its ReLU, which rise with it; NaN of either
// sign lies above infinity, so that it is always kept and seen. A later latent
// never beats an earlier one of equal value: ties go to the lowest index.

#define SIFT_WARPS 4

__device__ __forceinline__ int reluBits(float v) {
    if (v > 0.f) return (int)__float_as_uint(v);
    return v == v ? 0 : 0x7fc00000;
}

// kthLargest returns the k-th largest of n >= k bits, and in need how many of
// the equal ones belong to the k largest: a radix selection, eight bits a pass.
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
        // Lane l holds bins 255-8l down to 248-8l: the largest come first.
        int top = 255 - 8 * lane, sum = 0;
        for (int j = 0; j < 8; j++) sum += hist[top - j];
        int upTo = sum;  // of this lane and those before it
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

// cut leaves a row's k largest candidates, in order, and returns the smallest of
// them.
__device__ __forceinline__ int cut(int *bits, int *latents, int n, int k, int *hist) {
    int need, least = kthLargest(bits, n, k, hist, need);
    u32 before = (1u << threadIdx.x) - 1u;
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

// sift takes the chunk pre_BN of n latents from latent first on, without their
// bias; with fresh it is the first. names, where not null, are the latents'
// numbers, rising; allowed, where not null, admits those with a byte that is not
// 0. With zeros, zeros are taken too.
extern "C" __global__ void sift(const float *__restrict__ pre, int stride, const float *__restrict__ bias, int first, int n, const int *names,
                                const u8 *allowed, int fresh, int zeros, int rows, int k, int room, int *bits, int *latents, int *count, int *floors) {
    __shared__ int hists[SIFT_WARPS][256];
    int row = blockIdx.x * SIFT_WARPS + threadIdx.y, lane = threadIdx.x;
    if (row >= rows) return;
    int *hist = hists[threadIdx.y];
    const float *in = pre + (i64)row * stride;
    int *myBits = bits + (i64)row * room, *myLatents = latents + (i64)row * room;
    int have = fresh ? 0 : count[row], floor = fresh ? (zeros ? -1 : 0) : floors[row];
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
            int value[4] = {reluBits(v[j].x + b.x), reluBits(v[j].y + b.y), reluBits(v[j].z + b.z), reluBits(v[j].w + b.w)};
            bool take[4];
            bool some = false;
#pragma unroll
            for (int e = 0; e < 4; e++) {
                take[e] = c + e < n && value[e] > floor;
                some |= take[e];
            }
            if (__ballot_sync(FULL, some) == 0) continue;
            if (have + 128 > room) {
                __syncwarp();
                floor = max(floor, cut(myBits, myLatents, have, k, hist));
                have = k;
            }
            u32 taken[4];
#pragma unroll
            for (int e = 0; e < 4; e++) {
                take[e] = take[e] && value[e] > floor;
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
        floors[row] = floor;
    }
}

// sifted ends a selection: it writes each row's k largest values and their
// latents, in order of latent, and zeros where a row has fewer. It counts the
// hits of each latent, values above 0, in hits, and its zero picks in zeros;
// either may be null. least is each row's smallest positive value or infinity.
// bad becomes rows - row for the first row with a NaN.
extern "C" __global__ void sifted(int rows, int k, int room, int *bits, int *latents, int *count, float *acts, int *chosen,
                                  int *hits, int *zeros, float *least, int *bad) {
    __shared__ int hists[SIFT_WARPS][256];
    int row = blockIdx.x * SIFT_WARPS + threadIdx.y, lane = threadIdx.x;
    if (row >= rows) return;
    int *myBits = bits + (i64)row * room, *myLatents = latents + (i64)row * room;
    int have = count[row];
    if (have > k) {
        cut(myBits, myLatents, have, k, hists[threadIdx.y]);
        have = k;
    }
    float smallest = __uint_as_float(0x7f800000u);
    bool nan = false;
    for (int i = lane; i < k; i += 32) {
        int b = i < have ? myBits[i] : 0, f = i < have ? myLatents[i] : 0;
        float a = __uint_as_float((u32)b);
        acts[(i64)row * k + i] = a;
        chosen[(i64)row * k + i] = f;
        nan |= b > 0x7f800000;
        if (a > 0.f) {
            if (hits) atomicAdd(&hits[f], 1);
            smallest = fminf(smallest, a);
        } else if (zeros && i < have) {
            atomicAdd(&zeros[f], 1);
        }
    }
    if (least) {
#pragma unroll
        for (int o = 16; o > 0; o >>= 1) smallest = fminf(smallest, __shfl_xor_sync(FULL, smallest, o));
        if (lane == 0) least[row] = smallest;
    }
    if (__ballot_sync(FULL, nan) != 0 && lane == 0) atomicMax(bad, rows - row);
}

#include "common.cuh"

// counters moves the tokens since each latent fired on by a batch of b and says
// which latents are dead: dead, and dying[f] = 1 for those that are dead after
// the next batch unless they fire in it. zeros, where not null, counts zero
// picks as firing, and is set back to 0. limit is the smallest number of tokens that is dead. The
// totals' dead, dying and longest start from 0.
extern "C" __global__ void counters(const int *hits, int *zeros, i64 *since, u8 *dead, u8 *dying, int f, i64 b, i64 limit,
                                    Totals *t) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    bool isDead = false, isDying = false;
    u64 longest = 0;
    if (i < f) {
        bool fired = hits[i] > 0 || (zeros && zeros[i] > 0);
        if (zeros) zeros[i] = 0;
        i64 n = fired ? 0 : since[i] + b;
        since[i] = n;
        isDead = n >= limit;
        isDying = n + b >= limit;
        dead[i] = isDead;
        dying[i] = isDying;
        longest = (u64)n;
    }
    int deads = __popc(__ballot_sync(FULL, isDead)), dyings = __popc(__ballot_sync(FULL, isDying));
#pragma unroll
    for (int o = 16; o > 0; o >>= 1) {
        u64 other = __shfl_xor_sync(FULL, longest, o);
        longest = other > longest ? other : longest;
    }
    if ((threadIdx.x & 31) == 0) {
        if (deads) atomicAdd(&t->dead, deads);
        if (dyings) atomicAdd(&t->dying, dyings);
        atomicMax(&t->longest, longest);
    }
}

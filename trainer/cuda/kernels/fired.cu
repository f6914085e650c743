#include "common.cuh"

// count_fired sets sinceFired[f] to 0 where latent f fired in this batch of b tokens, and else
// adds b. It marks the latents that are dead, and counts as dying those that are dead after
// the next batch unless they fire in it. A latent is dead from limit tokens on.
//
// A latent fired if it has a hit, or with zeroPicks not null also if it was chosen with the
// value 0. zeroPicks is reset to 0. t->dead, t->dying and t->maxSinceFired must be 0 before.
// One thread works on one latent.
extern "C" __global__ void count_fired(const int *hits, int *zeroPicks, i64 *sinceFired, u8 *dead, int f,
                                       i64 b, i64 limit, StepTotals *t) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    bool isDead = false, isDying = false;
    u64 longest = 0;
    if (i < f) {
        bool fired = hits[i] > 0 || (zeroPicks && zeroPicks[i] > 0);
        if (zeroPicks) zeroPicks[i] = 0;
        i64 n = fired ? 0 : sinceFired[i] + b;
        sinceFired[i] = n;
        isDead = n >= limit;
        isDying = n + b >= limit;
        dead[i] = isDead;
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
        atomicMax(&t->maxSinceFired, longest);
    }
}

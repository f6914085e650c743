#include "common.cuh"

// The numbers of a step that are sums over all latents or all tokens, in two kernels: the
// first sums parts, the second adds the parts.

// step_sums sums a part of the latents and of the tokens. Block p sums the p-th of gridDim.x
// spans. sums is [4, gridDim.x]:
//
//     0  squared norms of the latents' gradients
//     1  squared errors of the tokens
//     2  the tokens' smallest positive activations
//     3  tokens that have a positive activation
extern "C" __global__ void step_sums(const double *latentNorm2, int f, const double *l2, const float *smallest, int b,
                                     double *sums) {
    int p = blockIdx.x, parts = gridDim.x;
    double norm = 0, error = 0, small = 0, rows = 0;
    for (int i = spanFrom(p, parts, f) + threadIdx.x; i < spanFrom(p + 1, parts, f); i += blockDim.x) {
        norm += latentNorm2[i];
    }
    for (int i = spanFrom(p, parts, b) + threadIdx.x; i < spanFrom(p + 1, parts, b); i += blockDim.x) {
        error += l2[i];
        float s = smallest[i];
        if (s < __uint_as_float(0x7f800000u)) {  // infinity stands for no positive activation
            small += s;
            rows += 1;
        }
    }
    norm = blockSum(norm);
    error = blockSum(error);
    small = blockSum(small);
    rows = blockSum(rows);
    if (threadIdx.x == 0) {
        sums[p] = norm;
        sums[parts + p] = error;
        sums[2 * parts + p] = small;
        sums[3 * parts + p] = rows;
    }
}

// step_totals adds the parts. It writes the L2 loss, the gradient's squared norm and the
// factor that clips it, and it updates the threshold: a moving average of the mean over the
// tokens of the smallest positive activation. Tokens without one are left out of the mean.
// biasNorm2 holds the parts of the squared norm of b_dec's gradient. One block.
extern "C" __global__ void step_totals(const double *sums, int parts, const double *biasNorm2, int biasParts, int b,
                                       const StepInput *in, double beta, StepTotals *t) {
    double norm = 0, error = 0, small = 0, rows = 0;
    for (int i = threadIdx.x; i < parts; i += blockDim.x) {
        norm += sums[i];
        error += sums[parts + i];
        small += sums[2 * parts + i];
        rows += sums[3 * parts + i];
    }
    for (int i = threadIdx.x; i < biasParts; i += blockDim.x) norm += biasNorm2[i];
    norm = blockSum(norm);
    error = blockSum(error);
    small = blockSum(small);
    rows = blockSum(rows);
    if (threadIdx.x > 0) return;
    t->l2 = error / b;
    t->norm2 = norm;
    t->clip = (float)fmin(1.0, 1 / (sqrt(norm) + 1e-6));
    if (in->updateThreshold && rows > 0) {
        float mean = (float)(small / rows);
        t->threshold = t->threshold < 0.f ? mean : (float)beta * t->threshold + (float)(1 - beta) * mean;
    }
}

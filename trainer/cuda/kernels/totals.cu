#include "common.cuh"

// sums adds parts of the latents' squared norms and of the rows' squared errors
// and smallest activations: block p the p-th of gridDim.x spans, into part
// [4, gridDim.x]; the last is the number of rows with a positive activation.
extern "C" __global__ void sums(const double *latentNorm2, int f, const double *rowNorm2, const float *least, int b, double *part) {
    int p = blockIdx.x, parts = gridDim.x;
    double norm = 0, l2 = 0, small = 0, rows = 0;
    for (int i = spanFrom(p, parts, f) + threadIdx.x; i < spanFrom(p + 1, parts, f); i += blockDim.x) norm += latentNorm2[i];
    for (int i = spanFrom(p, parts, b) + threadIdx.x; i < spanFrom(p + 1, parts, b); i += blockDim.x) {
        l2 += rowNorm2[i];
        float s = least[i];
        if (s < __uint_as_float(0x7f800000u)) {
            small += s;
            rows += 1;
        }
    }
    norm = blockSum(norm);
    l2 = blockSum(l2);
    small = blockSum(small);
    rows = blockSum(rows);
    if (threadIdx.x == 0) {
        part[p] = norm;
        part[parts + p] = l2;
        part[2 * parts + p] = small;
        part[3 * parts + p] = rows;
    }
}

// totals ends the sums: the loss, the gradients' norm and the clip's factor, and
// the threshold's average, which rows without a positive activation do not
// enter. biasNorm2 are the parts of b_dec's squared norm. One block.
extern "C" __global__ void totals(const double *part, int parts, const double *biasNorm2, int biasParts, int b, const Step *s,
                                  double beta, Totals *t) {
    double norm = 0, l2 = 0, small = 0, rows = 0;
    for (int i = threadIdx.x; i < parts; i += blockDim.x) {
        norm += part[i];
        l2 += part[parts + i];
        small += part[2 * parts + i];
        rows += part[3 * parts + i];
    }
    for (int i = threadIdx.x; i < biasParts; i += blockDim.x) norm += biasNorm2[i];
    norm = blockSum(norm);
    l2 = blockSum(l2);
    small = blockSum(small);
    rows = blockSum(rows);
    if (threadIdx.x > 0) return;
    t->l2 = l2 / b;
    t->norm2 = norm;
    t->clip = (float)fmin(1.0, 1 / (sqrt(norm) + 1e-6));
    if (s->average && rows > 0) {
        float mean = (float)(small / rows);
        t->threshold = t->threshold < 0.f ? mean : (float)beta * t->threshold + (float)(1 - beta) * mean;
    }
}

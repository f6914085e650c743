#include "common.cuh"

// auxk_total divides AuxK's squared error by the residual's spread, both sums
// over the tokens, and sets the scale of its gradient: -2 alpha / spread. A
// quotient by 0 counts as 0 and has no gradient; so does a step in which no
// latent is dead. One block.
extern "C" __global__ void auxk_total(const double *left2, const double *spread2, int rows, double alpha, Totals *t) {
    double num = 0, den = 0;
    for (int i = threadIdx.x; i < rows; i += blockDim.x) {
        num += left2[i];
        den += spread2[i];
    }
    num = blockSum(num);
    den = blockSum(den);
    if (threadIdx.x == 0) {
        bool on = t->dead > 0 && den != 0;
        t->aux = on ? num / den : 0;
        t->auxScale = on ? (float)(-2 * alpha / den) : 0.f;
    }
}

// inert is the reference's AuxK: dead latents decode to b_dec, and
// u = b_dec - (x^ - x) is compared with each column's variance. It writes the
// gradient of the whole loss by the reconstruction to left, and each row's sum
// of u*u/variance. One block, one row.
extern "C" __global__ void inert(const float *residual, const float *bDec, const double *variance, int b, int d, int dPad, int kAux,
                                 double alpha, const Totals *t, float *left, double *rowSum) {
    i64 at = (i64)blockIdx.x * dPad;
    double scale = fmin((double)t->dead / kAux, 1.0), pull = alpha * 2 * scale / ((double)b * d), sum = 0;
    for (int c = threadIdx.x; c < dPad; c += blockDim.x) {
        double g = 0;
        if (c < d) {
            double r = residual[at + c], u = bDec[c] + r;
            sum += u * u / variance[c];
            g = -2.0 / b * r - pull * u / variance[c];
        }
        left[at + c] = (float)g;
    }
    sum = blockSum(sum);
    if (threadIdx.x == 0) rowSum[blockIdx.x] = sum;
}

// inert_total sums the rows and, where a latent is dead, makes left the main
// rows. One block.
extern "C" __global__ void inert_total(const double *rowSum, int b, int d, int kAux, Totals *t) {
    double sum = 0;
    for (int i = threadIdx.x; i < b; i += blockDim.x) sum += rowSum[i];
    sum = blockSum(sum);
    if (threadIdx.x == 0 && t->dead > 0) {
        t->aux = fmin((double)t->dead / kAux, 1.0) * sum / ((double)b * d);
        t->mainIsLeft = 1;
        t->mainScale = 1.f;
    }
}

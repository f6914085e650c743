#include "common.cuh"

// auxk_total makes the AuxK loss of recipes corrected and upstream, error / spread, from the
// sums of error2 and spread2 over the tokens. It also sets the scale of the loss's gradient,
// -2 alpha / spread. Where the spread is 0, or no latent is dead, both are 0. One block.
//
//     error2   [rows] squared norm of what AuxK leaves of the residual
//     spread2  [rows] squared distance of the residual from its mean over the batch
extern "C" __global__ void auxk_total(const double *error2, const double *spread2, int rows, double alpha,
                                      StepTotals *t) {
    double error = 0, spread = 0;
    for (int i = threadIdx.x; i < rows; i += blockDim.x) {
        error += error2[i];
        spread += spread2[i];
    }
    error = blockSum(error);
    spread = blockSum(spread);
    if (threadIdx.x == 0) {
        bool on = t->dead > 0 && spread != 0;
        t->aux = on ? error / spread : 0;
        t->auxScale = on ? (float)(-2 * alpha / spread) : 0.f;
    }
}

// inert_auxk is the AuxK of recipe reference: dead latents decode to b_dec, and
// u = b_dec - (xhat - x) is compared with the variance of each column. It writes to out the
// gradient of the whole loss by the reconstruction, and to rowSum the sum over the columns of
// u*u / variance. One block works on one row.
extern "C" __global__ void inert_auxk(const float *residual, const float *bDec, const double *variance, int b, int d,
                                      int dPad, int kAux, double alpha, const StepTotals *t, float *out,
                                      double *rowSum) {
    i64 at = (i64)blockIdx.x * dPad;
    double scale = fmin((double)t->dead / kAux, 1.0), pull = alpha * 2 * scale / ((double)b * d), sum = 0;
    for (int c = threadIdx.x; c < dPad; c += blockDim.x) {
        double g = 0;
        if (c < d) {
            double r = residual[at + c], u = bDec[c] + r;
            sum += u * u / variance[c];
            g = -2.0 / b * r - pull * u / variance[c];
        }
        out[at + c] = (float)g;
    }
    sum = blockSum(sum);
    if (threadIdx.x == 0) rowSum[blockIdx.x] = sum;
}

// inert_auxk_total makes the loss from the sums of the rows. Where a latent is dead, the
// backward pass then takes inert_auxk's gradient as it is. One block.
extern "C" __global__ void inert_auxk_total(const double *rowSum, int b, int d, int kAux, StepTotals *t) {
    double sum = 0;
    for (int i = threadIdx.x; i < b; i += blockDim.x) sum += rowSum[i];
    sum = blockSum(sum);
    if (threadIdx.x == 0 && t->dead > 0) {
        t->aux = fmin((double)t->dead / kAux, 1.0) * sum / ((double)b * d);
        t->mainIsAux = 1;
        t->mainScale = 1.f;
    }
}

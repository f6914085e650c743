#include "common.cuh"

// Weiszfeld's iteration for the geometric median of the rows x_BD, in double.

// median_weights gives each row its weight, 1/distance to guess, or 1 where
// guess is null. One block, one row.
extern "C" __global__ void median_weights(const float *x, const double *guess, int d, double *weight) {
    const float *row = x + (i64)blockIdx.x * d;
    double s = 0;
    if (guess) {
        for (int c = threadIdx.x; c < d; c += blockDim.x) {
            double e = row[c] - guess[c];
            s += e * e;
        }
        s = blockSum(s);
    }
    if (threadIdx.x == 0) weight[blockIdx.x] = guess ? 1 / sqrt(s) : 1;
}

#define MEDIAN_ROWS 8

// median_columns sums weight * row over parts of the rows: part
// [gridDim.y, D]. Blocks are 32 columns by MEDIAN_ROWS rows.
extern "C" __global__ void median_columns(const float *x, const double *weight, int rows, int d, double *part) {
    __shared__ double sums[MEDIAN_ROWS][32];
    int c = blockIdx.x * 32 + threadIdx.x, p = blockIdx.y, parts = gridDim.y;
    double s = 0;
    if (c < d) {
        for (int r = spanFrom(p, parts, rows) + threadIdx.y; r < spanFrom(p + 1, parts, rows); r += MEDIAN_ROWS)
            s += weight[r] * x[(i64)r * d + c];
    }
    sums[threadIdx.y][threadIdx.x] = s;
    __syncthreads();
    if (threadIdx.y == 0 && c < d) {
        s = 0;
        for (int y = 0; y < MEDIAN_ROWS; y++) s += sums[y][threadIdx.x];
        part[(i64)p * d + c] = s;
    }
}

// median_next ends an iteration: next, and in moved[0] its squared distance to
// guess, in moved[1] 1 if a weight was infinite: guess has met a row. One block.
extern "C" __global__ void median_next(const double *part, int parts, const double *weight, int rows, int d, const double *guess, double *next,
                                       double *moved) {
    double total = 0, met = 0, far = 0;
    for (int r = threadIdx.x; r < rows; r += blockDim.x) {
        total += weight[r];
        if (weight[r] > 1.7976931348623157e308) met += 1;
    }
    total = blockSum(total);
    met = blockSum(met);
    for (int c = threadIdx.x; c < d; c += blockDim.x) {
        double s = 0;
        for (int p = 0; p < parts; p++) s += part[(i64)p * d + c];
        s /= total;
        next[c] = s;
        if (guess) far += (s - guess[c]) * (s - guess[c]);
    }
    far = blockSum(far);
    if (threadIdx.x == 0) {
        moved[0] = far;
        moved[1] = met > 0;
    }
}

// median_set makes the result b_dec.
extern "C" __global__ void median_set(const double *from, int d, float *bDec) {
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c < d) bDec[c] = (float)from[c];
}

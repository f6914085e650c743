#include "common.cuh"

// Weiszfeld's iteration towards the geometric median of the rows x_BD, in double. One
// iteration is three kernels:
//
//     weight[r] = 1 / |x[r] - guess|                          median_weights
//     next      = sum of weight[r] * x[r] / sum of weight[r]  median_columns, median_next

// median_weights computes the weight of each row, which is 1 where guess is null: then the
// iteration gives the mean. One block works on one row.
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

// median_columns sums weight * row over parts of the rows; sums is [gridDim.y, D]. A block has
// 32 columns by MEDIAN_ROWS rows of threads.
extern "C" __global__ void median_columns(const float *x, const double *weight, int rows, int d, double *sums) {
    __shared__ double byRow[MEDIAN_ROWS][32];
    int c = blockIdx.x * 32 + threadIdx.x, p = blockIdx.y, parts = gridDim.y;
    double s = 0;
    if (c < d) {
        for (int r = spanFrom(p, parts, rows) + threadIdx.y; r < spanFrom(p + 1, parts, rows); r += MEDIAN_ROWS)
            s += weight[r] * x[(i64)r * d + c];
    }
    byRow[threadIdx.y][threadIdx.x] = s;
    __syncthreads();
    if (threadIdx.y == 0 && c < d) {
        s = 0;
        for (int y = 0; y < MEDIAN_ROWS; y++) s += byRow[y][threadIdx.x];
        sums[(i64)p * d + c] = s;
    }
}

// median_next writes next. moved[0] is its squared distance from guess. moved[1] is 1 where a
// weight is infinite, because guess is equal to a row. One block.
extern "C" __global__ void median_next(const double *sums, int parts, const double *weight, int rows, int d,
                                       const double *guess, double *next, double *moved) {
    double total = 0, infinite = 0, distance2 = 0;
    for (int r = threadIdx.x; r < rows; r += blockDim.x) {
        total += weight[r];
        if (weight[r] > 1.7976931348623157e308) infinite += 1;
    }
    total = blockSum(total);
    infinite = blockSum(infinite);
    for (int c = threadIdx.x; c < d; c += blockDim.x) {
        double s = 0;
        for (int p = 0; p < parts; p++) s += sums[(i64)p * d + c];
        s /= total;
        next[c] = s;
        if (guess) distance2 += (s - guess[c]) * (s - guess[c]);
    }
    distance2 = blockSum(distance2);
    if (threadIdx.x == 0) {
        moved[0] = distance2;
        moved[1] = infinite > 0;
    }
}

// median_set rounds the median to b_dec.
extern "C" __global__ void median_set(const double *median, int d, float *bDec) {
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c < d) bDec[c] = (float)median[c];
}

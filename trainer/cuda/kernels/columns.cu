#include "common.cuh"

// Sums over the rows of a matrix, column by column, in two kernels: the first sums parts of
// the rows, the second adds the parts.

#define COLUMN_ROWS 8

// column_sums sums the rows of a part. Where weight is not null it sums weight * row, and does
// not read a row of weight 0. Where mean is not null it sums the squared distances from mean.
// A block has 32 by COLUMN_ROWS threads. Each thread sums one float4 of every COLUMN_ROWS-th
// row. sums is [gridDim.y, 4 d4].
extern "C" __global__ void column_sums(const float4 *__restrict__ rows, const float *__restrict__ weight,
                                       const double *mean, int n, int d4, double *sums) {
    __shared__ double byRow[COLUMN_ROWS][32][4];
    int c = blockIdx.x * 32 + threadIdx.x, p = blockIdx.y, parts = gridDim.y;
    double s[4] = {0, 0, 0, 0};
    if (c < d4) {
        int to = spanFrom(p + 1, parts, n);
        if (mean) {
            for (int r = spanFrom(p, parts, n) + threadIdx.y; r < to; r += COLUMN_ROWS) {
                float4 v = rows[(i64)r * d4 + c];
                double x = v.x - mean[4 * c], y = v.y - mean[4 * c + 1];
                double z = v.z - mean[4 * c + 2], w = v.w - mean[4 * c + 3];
                s[0] += x * x;
                s[1] += y * y;
                s[2] += z * z;
                s[3] += w * w;
            }
        } else {
#pragma unroll 4
            for (int r = spanFrom(p, parts, n) + threadIdx.y; r < to; r += COLUMN_ROWS) {
                float w = weight ? weight[r] : 1.f;
                if (w == 0.f) continue;
                float4 v = rows[(i64)r * d4 + c];
                s[0] += (double)(w * v.x);
                s[1] += (double)(w * v.y);
                s[2] += (double)(w * v.z);
                s[3] += (double)(w * v.w);
            }
        }
    }
    for (int e = 0; e < 4; e++) byRow[threadIdx.y][threadIdx.x][e] = s[e];
    __syncthreads();
    if (threadIdx.y == 0 && c < d4) {
        for (int e = 0; e < 4; e++) {
            double total = 0;
            for (int y = 0; y < COLUMN_ROWS; y++) total += byRow[y][threadIdx.x][e];
            sums[((i64)p * d4 + c) * 4 + e] = total;
        }
    }
}

// column_totals adds the parts of each of width columns and multiplies the total by scale.
extern "C" __global__ void column_totals(const double *sums, int parts, int width, double scale, double *out) {
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= width) return;
    double s = 0;
#pragma unroll 8
    for (int p = 0; p < parts; p++) s += sums[(i64)p * width + c];
    out[c] = s * scale;
}

// bias_gradient computes the gradient of b_dec from the parts of two sums:
//
//     residual  [residualParts, width]  sum over the b tokens of the residual
//     encoder   [encoderParts, width]   sum over the latents of (b_enc's gradient) * W_enc
//
// The reconstruction contains b_dec once, which gives -2/b * residual. The encoder sees
// x - b_dec, through which its gradient reaches b_dec with a minus. norm2[block] is the
// block's part of the squared norm.
extern "C" __global__ void bias_gradient(const double *residual, int residualParts, int b, const double *encoder,
                                         int encoderParts, int width, float *gradient, double *norm2) {
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    double n = 0;
    if (c < width) {
        double direct = 0, through = 0;
#pragma unroll 8
        for (int p = 0; p < residualParts; p++) direct += residual[(i64)p * width + c];
#pragma unroll 8
        for (int p = 0; p < encoderParts; p++) through += encoder[(i64)p * width + c];
        float g = (float)(-2 * (direct / b) - through);
        gradient[c] = g;
        n = (double)g * g;
    }
    n = blockSum(n);
    if (threadIdx.x == 0) norm2[blockIdx.x] = n;
}

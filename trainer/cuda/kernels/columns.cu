#include "common.cuh"

// Sums over the rows of a matrix, column by column, in two steps: partial sums
// over parts of the rows, then the sum of the parts.

#define COLUMN_ROWS 8

// columns sums rows, or weight * rows where weight is not null (a row of weight
// 0 is not read), or with mean not null the squared distances to it. Blocks are
// 32 float4 by COLUMN_ROWS rows; part is [gridDim.y, 4 d4].
extern "C" __global__ void columns(const float4 *__restrict__ rows, const float *__restrict__ weight, const double *mean, int n, int d4, double *part) {
    __shared__ double sums[COLUMN_ROWS][32][4];
    int c = blockIdx.x * 32 + threadIdx.x, p = blockIdx.y, parts = gridDim.y;
    double s[4] = {0, 0, 0, 0};
    if (c < d4) {
        int to = spanFrom(p + 1, parts, n);
        if (mean) {
            for (int r = spanFrom(p, parts, n) + threadIdx.y; r < to; r += COLUMN_ROWS) {
                float4 v = rows[(i64)r * d4 + c];
                double a = v.x - mean[4 * c], b = v.y - mean[4 * c + 1], e = v.z - mean[4 * c + 2], g = v.w - mean[4 * c + 3];
                s[0] += a * a;
                s[1] += b * b;
                s[2] += e * e;
                s[3] += g * g;
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
    for (int e = 0; e < 4; e++) sums[threadIdx.y][threadIdx.x][e] = s[e];
    __syncthreads();
    if (threadIdx.y == 0 && c < d4) {
        for (int e = 0; e < 4; e++) {
            double total = 0;
            for (int y = 0; y < COLUMN_ROWS; y++) total += sums[y][threadIdx.x][e];
            part[((i64)p * d4 + c) * 4 + e] = total;
        }
    }
}

// column_totals adds the parts of each of width columns and multiplies by scale.
extern "C" __global__ void column_totals(const double *part, int parts, int width, double scale, double *out) {
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= width) return;
    double s = 0;
#pragma unroll 8
    for (int p = 0; p < parts; p++) s += part[(i64)p * width + c];
    out[c] = s * scale;
}

// bias_gradient gives b_dec's gradient from the parts of the residual's sum over
// b tokens and of the sum over latents of b_enc's gradient * W_enc: the
// reconstruction holds b_dec once, and through x - b_dec the encoder's gradient
// reaches it with a minus. norm2 is each block's part of the squared norm.
extern "C" __global__ void bias_gradient(const double *residual, int residualParts, int b, const double *encoder, int encoderParts,
                                         int width, float *gradient, double *norm2) {
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

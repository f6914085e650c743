#include "common.cuh"

// gather copies the rows that names lists, n of them, into a matrix of their
// own, with their biases. Rows are of width16 uint4. One warp, one row.
extern "C" __global__ void gather(const uint4 *w, const float *bias, const int *names, int n, int width16, uint4 *out, float *outBias) {
    int i = blockIdx.x * blockDim.y + threadIdx.y;
    if (i >= n) return;
    int f = names[i];
    const uint4 *in = w + (i64)f * width16;
    uint4 *to = out + (i64)i * width16;
    for (int c = threadIdx.x; c < width16; c += 32) to[c] = in[c];
    if (threadIdx.x == 0) outBias[i] = bias[f];
}

#include "common.cuh"
#include "rounding.cuh"

// centre writes x - b_dec as rows of 4 d4 numbers, the same rounded to float16, and how it was
// rounded. The batch x_BD is in->x or, where in is null, given. Where t is not null it also
// resets the step's totals; the threshold stays. One warp works on one row.
extern "C" __global__ void centre(const StepInput *in, StepTotals *t, float mainScale, const float *given,
                                  const float *bDec, float4 *centred, uint2 *half, TokenRounding *rounding, int rows,
                                  int d, int d4) {
    int row = blockIdx.x * blockDim.y + threadIdx.y, lane = threadIdx.x;
    if (row == 0 && lane == 0 && t) {
        t->l2 = t->aux = t->norm2 = 0;
        t->maxSinceFired = 0;
        t->dead = t->dying = t->nanRow = t->auxNaNRow = 0;
        t->mainScale = mainScale;
        t->auxScale = 0.f;
        t->mainIsAux = 0;
    }
    if (row >= rows) return;
    const float *x = (in ? in->x : given) + (i64)row * d;
    centred += (i64)row * d4;
    half += (i64)row * d4;
    float norm2 = 0.f;
    for (int i = lane; i < d4; i += 32) {
        int c = 4 * i;
        const float *from = x + c;
        float4 b = *reinterpret_cast<const float4 *>(bDec + c), v = zero4();
        if ((d & 3) == 0) {
            if (c < d) {
                v = *reinterpret_cast<const float4 *>(from);
                v = make_float4(v.x - b.x, v.y - b.y, v.z - b.z, v.w - b.w);
            }
        } else {
            if (c < d) v.x = from[0] - b.x;
            if (c + 1 < d) v.y = from[1] - b.y;
            if (c + 2 < d) v.z = from[2] - b.z;
            if (c + 3 < d) v.w = from[3] - b.w;
        }
        centred[i] = v;
        norm2 += dot4(v, v);
    }
    float scale = scaleFor(sqrtf(warpSum(norm2)));
    RoundingSums s = {0.f, 0.f};
    for (int i = lane; i < d4; i += 32) half[i] = s.four(centred[i], scale);  // what this thread has written
    s = {warpSum(s.norm2), warpSum(s.error2)};
    if (lane == 0) rounding[row] = tokenRounding(s, scale, d4);
}

// round_rows rounds n rows of W_enc to float16. One warp works on one row.
extern "C" __global__ void round_rows(const float4 *w, uint2 *half, LatentRounding *rounding, int n, int d4) {
    int row = blockIdx.x * blockDim.y + threadIdx.y, lane = threadIdx.x;
    if (row >= n) return;
    w += (i64)row * d4;
    half += (i64)row * d4;
    float norm2 = 0.f;
    for (int i = lane; i < d4; i += 32) norm2 += dot4(w[i], w[i]);
    float scale = scaleFor(sqrtf(warpSum(norm2)));
    RoundingSums s = {0.f, 0.f};
    for (int i = lane; i < d4; i += 32) half[i] = s.four(w[i], scale);
    s = {warpSum(s.norm2), warpSum(s.error2)};
    if (lane == 0) rounding[row] = latentRounding(s, scale);
}

#include "common.cuh"

// centre writes x - b_dec as rows of dPad numbers, and where centredBF is not null the same in
// bfloat16. The batch x_BD is in->x or, where in is null, given. Where t is not null it also
// resets the step's totals; the threshold stays. One thread writes one float4.
extern "C" __global__ void centre(const StepInput *in, StepTotals *t, float mainScale, const float *given,
                                  const float *bDec, float *centred, uint2 *centredBF, int rows, int d, int d4) {
    i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i == 0 && t) {
        t->l2 = t->aux = t->norm2 = 0;
        t->maxSinceFired = 0;
        t->dead = t->dying = t->nanRow = t->auxNaNRow = 0;
        t->mainScale = mainScale;
        t->auxScale = 0.f;
        t->mainIsAux = 0;
    }
    if (i >= (i64)rows * d4) return;
    const float *x = in ? in->x : given;
    i64 row = i / d4;
    int c = (int)(i - row * d4) * 4;
    const float *from = x + row * d + c;
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
    reinterpret_cast<float4 *>(centred)[i] = v;
    if (centredBF) centredBF[i] = bf16x4(v);
}

// to_bf16 rounds n4 float4 to bfloat16.
extern "C" __global__ void to_bf16(const float4 *in, uint2 *out, i64 n4) {
    i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n4) out[i] = bf16x4(in[i]);
}

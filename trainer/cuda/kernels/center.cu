#include "common.cuh"

// center writes x - b_dec as rows of width dPad, and the same in bfloat16 where
// centredBF is not null. x is s->x, or given where s is null. One thread, one
// float4 of the output. It empties the totals of a step where they are not null;
// the threshold stays.
extern "C" __global__ void center(const Step *s, Totals *t, float mainScale, const float *given, const float *bDec, float *centred, uint2 *centredBF,
                                  int rows, int d, int d4) {
    i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i == 0 && t) {
        t->l2 = t->aux = t->norm2 = 0;
        t->longest = 0;
        t->dead = t->dying = t->badRow = t->auxBadRow = 0;
        t->mainScale = mainScale;
        t->auxScale = 0.f;
        t->mainIsLeft = 0;
    }
    if (i >= (i64)rows * d4) return;
    const float *x = s ? s->x : given;
    i64 row = i / d4;
    int c = (int)(i - row * d4) * 4;
    const float *in = x + row * d + c;
    float4 b = *reinterpret_cast<const float4 *>(bDec + c), v = zero4();
    if ((d & 3) == 0) {
        if (c < d) {
            v = *reinterpret_cast<const float4 *>(in);
            v = make_float4(v.x - b.x, v.y - b.y, v.z - b.z, v.w - b.w);
        }
    } else {
        if (c < d) v.x = in[0] - b.x;
        if (c + 1 < d) v.y = in[1] - b.y;
        if (c + 2 < d) v.z = in[2] - b.z;
        if (c + 3 < d) v.w = in[3] - b.w;
    }
    reinterpret_cast<float4 *>(centred)[i] = v;
    if (centredBF) centredBF[i] = bf16x4(v);
}

// to_bf16 rounds n4 float4 to bfloat16.
extern "C" __global__ void to_bf16(const float4 *in, uint2 *out, i64 n4) {
    i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n4) out[i] = bf16x4(in[i]);
}

// pick copies the rows of a table that numbers lists, n of width d. One warp,
// one row.
extern "C" __global__ void pick(const float *table, const i64 *numbers, int n, int d, float *out) {
    int i = blockIdx.x * blockDim.y + threadIdx.y;
    if (i >= n) return;
    const float *in = table + numbers[i] * d;
    out += (i64)i * d;
    if ((d & 3) == 0) {
        for (int c = threadIdx.x; c < d / 4; c += 32) reinterpret_cast<float4 *>(out)[c] = reinterpret_cast<const float4 *>(in)[c];
    } else {
        for (int c = threadIdx.x; c < d; c += 32) out[c] = in[c];
    }
}

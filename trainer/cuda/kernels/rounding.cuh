#pragma once

// How rows of float32 are rounded to float16, and by how much that is off.
//
// A row r is multiplied by a power of two, its scale, which brings its norm to 64 to 128, and
// then rounded to float16: r = unscale * (h + e), where h is what is stored and e is the error
// of rounding. n is at least the norm of h + e, and at least 1. Norms and errors are those of
// the scaled row, so that they neither overflow nor underflow. screen.cu says what they are
// for. A row whose scaled norm is over MOST_NORM cannot be screened: it has a NaN, an infinity,
// a norm far above 2^40, or it has grown fourfold since its scale was chosen.

#define MOST_NORM 256.f
#define ROUNDED 0x1.04p-11f  // how far a product in float16 is off, and what follows, by its size: see screen.cu
#define INFINITE __uint_as_float(0x7f800000u)

// A LatentRounding belongs to a row of W_enc.
struct __align__(16) LatentRounding {
    float unscale;
    float norm;   // unscale * n; infinite for a row that cannot be screened
    float error;  // unscale * a bound of the norm of e; infinite likewise
    float scale;  // for the row's next rounding
};

// A TokenRounding belongs to a row of x - b_dec. With the LatentRounding of a latent it gives
// the margin of their product: screen.cu derives it.
struct __align__(16) TokenRounding {
    float unscale;
    float byNorm;   // infinite for a row that cannot be screened
    float byError;  // infinite likewise
    float reserved;
};

// scaleFor returns the scale for a row of that norm. Norms below 2^-40 and above 2^40 count as
// these.
__device__ __forceinline__ float scaleFor(float norm) {
    int e = (int)(__float_as_uint(norm) >> 23 & 255u) - 127;
    e = min(max(e, -40), 40);
    return __uint_as_float((u32)(127 + 6 - e) << 23);
}

// inverse returns 1 / v for a power of two.
__device__ __forceinline__ float inverse(float v) { return __uint_as_float((254u << 23) - __float_as_uint(v)); }

// Sums are the squared norms of a scaled row and of its error, as far as a thread has them.
struct RoundingSums {
    float norm2, error2;

    __device__ __forceinline__ u32 one(float v, float scale) {
        float s = v * scale;
        u32 h = toHalf(s);
        float e = s - fromHalf((u16)h);  // exact
        norm2 = fmaf(s, s, norm2);
        error2 = fmaf(e, e, error2);
        return h;
    }
    // four rounds four numbers.
    __device__ __forceinline__ uint2 four(float4 v, float scale) {
        u32 x = one(v.x, scale), y = one(v.y, scale), z = one(v.z, scale), w = one(v.w, scale);
        return make_uint2(x | y << 16, z | w << 16);
    }
};

// The sums have rounding errors of far less than a thousandth. 2^-60 is more than what squares
// lose that underflow.
__device__ __forceinline__ float normOf(RoundingSums s) { return fmaxf(1.001f * sqrtf(s.norm2), 1.f); }
__device__ __forceinline__ float errorOf(RoundingSums s) { return 1.001f * sqrtf(s.error2) + 0x1p-60f; }
__device__ __forceinline__ bool canScreen(RoundingSums s) {
    return sqrtf(s.norm2) + sqrtf(s.error2) <= MOST_NORM;  // false for NaN
}

__device__ __forceinline__ LatentRounding latentRounding(RoundingSums s, float scale) {
    float unscale = inverse(scale);
    bool ok = canScreen(s);
    LatentRounding r;
    r.unscale = unscale;
    r.norm = ok ? unscale * (normOf(s) + errorOf(s)) : INFINITE;
    r.error = ok ? unscale * errorOf(s) : INFINITE;
    r.scale = scaleFor(sqrtf(s.norm2) * unscale);
    return r;
}

// tokenRounding is for rows of d4 float4.
__device__ __forceinline__ TokenRounding tokenRounding(RoundingSums s, float scale, int d4) {
    float unscale = inverse(scale), norm = normOf(s) + errorOf(s);
    float sums = (5 * d4 + 32) * 0x1p-23f + (4 * ((d4 + 31) / 32) + 8) * 0x1p-24f;
    bool ok = canScreen(s);
    TokenRounding r;
    r.unscale = unscale;
    r.byNorm = ok ? 1.01f * unscale * (errorOf(s) + sums * norm + 0x1p-24f) : INFINITE;
    r.byError = ok ? 1.01f * unscale * norm : INFINITE;
    r.reserved = 0.f;
    return r;
}

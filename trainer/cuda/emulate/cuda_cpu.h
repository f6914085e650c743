// Makes C++17 for the CPU of CUDA C++ kernels, to test them without a GPU. Each thread of a
// block is a fiber (fibers.cc). Blocks run one after another. The functions of a warp always
// include the whole warp, whatever their mask.
//
// It knows shared memory (static, and dynamic by DYN_SHARED), barriers, shuffles, votes and
// atomics. It does not know inline PTX, mma, asynchronous copies, textures or cooperative
// groups.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#define __CUDA_CPU__ 1
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __shared__ static
#define __constant__ static
// C++ cannot express "extern __shared__ T name[]": kernels use this macro instead of it.
#define DYN_SHARED(T, name) T *name = reinterpret_cast<T *>(cuda_cpu::block.dynamic)

struct dim3 {
	unsigned x, y, z;
	constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

#define CUDA_CPU_VECTOR(T, name, n2, n4)                                                          \
	struct alignas(n2) name##2 { T x, y; };                                                        \
	struct alignas(n4) name##4 { T x, y, z, w; };                                                  \
	static inline name##2 make_##name##2(T x, T y) { return {x, y}; }                              \
	static inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
CUDA_CPU_VECTOR(float, float, 8, 16)
CUDA_CPU_VECTOR(int, int, 8, 16)
CUDA_CPU_VECTOR(unsigned, uint, 8, 16)
CUDA_CPU_VECTOR(unsigned short, ushort, 4, 8)
CUDA_CPU_VECTOR(double, double, 16, 16)
CUDA_CPU_VECTOR(long long, longlong, 16, 16)

namespace cuda_cpu {

constexpr unsigned warp_size = 32;

[[noreturn]] void die(const char *why);

struct Thread {
	dim3 index{0, 0, 0};
	unsigned linear = 0; // in the block
};

struct Block {
	dim3 grid, size, index{0, 0, 0};
	void *dynamic = nullptr;
	unsigned threads = 0;
};

extern Block block;
extern Thread *current;

// A barrier waits for all of its threads that have not ended.
void barrier_block();
void barrier_warp();
// slots has 8 bytes for each lane of the current warp, through which lanes exchange values. Each
// lane calls it once an exchange.
unsigned long long *slots();
unsigned lanes(); // number of lanes of the current warp
int vote_block(int value); // number of threads whose value is not 0; it is a barrier too

// Runs a kernel's body for every thread of every block.
void run(dim3 grid, dim3 size, size_t shared, const std::function<void()> &body);

inline unsigned lane() { return current->linear % warp_size; }

// exchange returns the value of another lane. The barrier waits until all lanes have written.
template <class V> V exchange(V v, unsigned from) {
	static_assert(sizeof(V) <= 8, "shuffles move up to 8 bytes");
	unsigned long long bits = 0;
	memcpy(&bits, &v, sizeof v);
	unsigned long long *s = slots();
	s[lane()] = bits;
	barrier_warp();
	bits = s[from % warp_size];
	memcpy(&v, &bits, sizeof v);
	return v;
}

inline unsigned ballot(bool p) {
	unsigned long long *s = slots();
	s[lane()] = p;
	barrier_warp();
	unsigned mask = 0;
	for (unsigned i = 0; i < lanes(); i++) mask |= unsigned(s[i] & 1) << i;
	return mask;
}

// A kernel, its name, and the sizes of its arguments in bytes.
struct Kernel {
	const char *name;
	std::vector<unsigned> sizes;
	std::function<void(dim3, dim3, size_t, const unsigned long long *)> launch;
};
bool add(Kernel k);

template <class... A, size_t... I>
void call(dim3 grid, dim3 size, size_t shared, void (*kernel)(A...), const unsigned long long *words, std::index_sequence<I...>) {
	std::tuple<std::decay_t<A>...> args;
	(memcpy(&std::get<I>(args), &words[I], sizeof(std::get<I>(args))), ...);
	run(grid, size, shared, [&] { kernel(std::get<I>(args)...); });
}

template <class... A> bool add(const char *name, void (*kernel)(A...)) {
	static_assert(((sizeof(A) <= 8) && ...), "arguments have up to 8 bytes");
	return add(Kernel{name, {unsigned(sizeof(A))...}, [kernel](dim3 g, dim3 b, size_t s, const unsigned long long *w) {
		call(g, b, s, kernel, w, std::index_sequence_for<A...>{});
	}});
}

} // namespace cuda_cpu

#define CUDA_CPU_KERNEL(name) static const bool cuda_cpu_has_##name = cuda_cpu::add(#name, &name);

#define threadIdx (cuda_cpu::current->index)
#define blockIdx (cuda_cpu::block.index)
#define blockDim (cuda_cpu::block.size)
#define gridDim (cuda_cpu::block.grid)
#define warpSize 32

static inline void __syncthreads() { cuda_cpu::barrier_block(); }
static inline int __syncthreads_or(int v) { return cuda_cpu::vote_block(v) != 0; }
static inline int __syncthreads_and(int v) { return cuda_cpu::vote_block(!v) == 0; }
static inline int __syncthreads_count(int v) { return cuda_cpu::vote_block(v); }
static inline void __syncwarp(unsigned = ~0u) { cuda_cpu::barrier_warp(); }
static inline void __threadfence() {}
static inline void __threadfence_block() {}

template <class V> static inline V __shfl_sync(unsigned, V v, int from, int width = 32) {
	int l = int(cuda_cpu::lane());
	return cuda_cpu::exchange(v, (l & ~(width - 1)) | (from & (width - 1)));
}
template <class V> static inline V __shfl_down_sync(unsigned, V v, unsigned d, int width = 32) {
	int l = int(cuda_cpu::lane()), s = l + int(d);
	return cuda_cpu::exchange(v, (s & ~(width - 1)) == (l & ~(width - 1)) ? s : l);
}
template <class V> static inline V __shfl_up_sync(unsigned, V v, unsigned d, int width = 32) {
	int l = int(cuda_cpu::lane()), s = l - int(d);
	return cuda_cpu::exchange(v, s >= (l & ~(width - 1)) ? s : l);
}
template <class V> static inline V __shfl_xor_sync(unsigned, V v, int x, int = 32) {
	return cuda_cpu::exchange(v, unsigned(int(cuda_cpu::lane()) ^ x));
}
static inline unsigned __ballot_sync(unsigned, bool p) { return cuda_cpu::ballot(p); }
static inline int __any_sync(unsigned, bool p) { return cuda_cpu::ballot(p) != 0; }
static inline int __all_sync(unsigned, bool p) { return cuda_cpu::ballot(!p) == 0; }
static inline unsigned __activemask() { return ~0u; }

static inline int __popc(unsigned v) { return __builtin_popcount(v); }
static inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
static inline int __clz(int v) { return v ? __builtin_clz(unsigned(v)) : 32; }
static inline int __clzll(long long v) { return v ? __builtin_clzll((unsigned long long)v) : 64; }
static inline int __ffs(int v) { return __builtin_ffs(v); }

template <class To, class From> static inline To cuda_cpu_bits(From f) {
	static_assert(sizeof(To) == sizeof(From), "bits");
	To t;
	memcpy(&t, &f, sizeof t);
	return t;
}
static inline unsigned __float_as_uint(float f) { return cuda_cpu_bits<unsigned>(f); }
static inline float __uint_as_float(unsigned u) { return cuda_cpu_bits<float>(u); }
static inline int __float_as_int(float f) { return cuda_cpu_bits<int>(f); }
static inline float __int_as_float(int u) { return cuda_cpu_bits<float>(u); }
static inline long long __double_as_longlong(double d) { return cuda_cpu_bits<long long>(d); }
static inline double __longlong_as_double(long long u) { return cuda_cpu_bits<double>(u); }
// float16: F16C where the processor has it, as all with AVX2 do.
#include <immintrin.h>
static inline unsigned short cuda_cpu_to_half(float v) { return _cvtss_sh(v, _MM_FROUND_TO_NEAREST_INT); }
static inline float cuda_cpu_from_half(unsigned short h) { return _cvtsh_ss(h); }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __fsqrt_rn(float a) { return sqrtf(a); }
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline float rsqrtf(float a) { return 1 / sqrtf(a); }
template <class V> static inline V __ldg(const V *p) { return *p; }

static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
static inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
static inline long long min(long long a, long long b) { return a < b ? a : b; }
static inline long long max(long long a, long long b) { return a > b ? a : b; }

// Atomics take integers only: a sum of floats would depend on the order of the threads.
#define CUDA_CPU_INTEGER(V) static_assert(std::is_integral_v<V>, "atomics are for integers")
#define CUDA_CPU_ATOMIC(name, builtin)                                                            \
	template <class V> static inline V name(V *p, std::common_type_t<V> v) {                       \
		CUDA_CPU_INTEGER(V);                                                                       \
		return builtin(p, v, __ATOMIC_RELAXED);                                                    \
	}
CUDA_CPU_ATOMIC(atomicAdd, __atomic_fetch_add)
CUDA_CPU_ATOMIC(atomicSub, __atomic_fetch_sub)
CUDA_CPU_ATOMIC(atomicOr, __atomic_fetch_or)
CUDA_CPU_ATOMIC(atomicAnd, __atomic_fetch_and)
CUDA_CPU_ATOMIC(atomicExch, __atomic_exchange_n)
template <class V> static inline V atomicCAS(V *p, std::common_type_t<V> expected, std::common_type_t<V> v) {
	CUDA_CPU_INTEGER(V);
	V old = expected;
	__atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return old;
}
template <class V> static inline V atomicMax(V *p, std::common_type_t<V> v) {
	CUDA_CPU_INTEGER(V);
	V old = __atomic_load_n(p, __ATOMIC_RELAXED);
	while (old < v && !__atomic_compare_exchange_n(p, &old, v, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
	return old;
}
template <class V> static inline V atomicMin(V *p, std::common_type_t<V> v) {
	CUDA_CPU_INTEGER(V);
	V old = __atomic_load_n(p, __ATOMIC_RELAXED);
	while (old > v && !__atomic_compare_exchange_n(p, &old, v, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
	return old;
}

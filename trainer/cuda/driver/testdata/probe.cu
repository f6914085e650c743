// Kernels for the tests of the driver and of the emulation. A kernel named planted_X has
// a bug that a sanitizer must find; sound_X is the same kernel without the bug.

#ifndef __CUDA_CPU__
#define DYN_SHARED(T, name) extern __shared__ T name[]
#endif

extern "C" __global__ void axpy(float *y, const float *x, float a, int n) {
	int i = int(blockIdx.x * blockDim.x + threadIdx.x);
	if (i < n) y[i] += a * x[i];
}

// Every kind of argument, in an order that mixes their sizes.
extern "C" __global__ void arguments(double *out, int a, long long b, float c, double d) {
	out[0] = a;
	out[1] = double(b);
	out[2] = c;
	out[3] = d;
}

// out[i] = i, where i is computed from all three dimensions of block and grid.
extern "C" __global__ void indices(int *out) {
	int block = int((blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x);
	int thread = int((threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x);
	int i = block * int(blockDim.x * blockDim.y * blockDim.z) + thread;
	out[i] = i;
}

// Reverses each block's numbers through dynamic shared memory.
__device__ void reverse(int *x, bool barrier) {
	DYN_SHARED(int, shared);
	int n = int(blockDim.x), i = int(threadIdx.x), at = int(blockIdx.x) * n;
	shared[i] = x[at + i];
	if (barrier) __syncthreads();
	x[at + i] = shared[n - 1 - i];
}
extern "C" __global__ void sound_barrier(int *x) { reverse(x, true); }
extern "C" __global__ void planted_barrier(int *x) { reverse(x, false); }

// Half of each warp waits for the other half, which waits for the whole block.
extern "C" __global__ void planted_deadlock(int *x) {
	if (threadIdx.x % 32 < 16) __syncwarp();
	else __syncthreads();
	x[threadIdx.x] = 1;
}

// Sums a warp's numbers through memory that its lanes share, with a barrier of the warp
// or without.
__device__ void warp_total(int *x, bool barrier) {
	__shared__ int part[32];
	int i = int(threadIdx.x);
	part[i] = x[i];
	if (barrier) __syncwarp();
	int sum = 0;
	for (int j = 0; j < 32; j++) sum += part[j];
	x[i] = sum;
}
extern "C" __global__ void sound_warp(int *x) { warp_total(x, true); }
extern "C" __global__ void planted_warp(int *x) { warp_total(x, false); }

// planted_bounds reads one number past the end of x, which has one number a thread.
extern "C" __global__ void sound_bounds(int *x) { x[threadIdx.x] += 1; }
extern "C" __global__ void planted_bounds(int *x) { x[0] += x[threadIdx.x + 1]; }
extern "C" __global__ void planted_shared(int *x) {
	DYN_SHARED(int, part);
	part[threadIdx.x + 1] = x[threadIdx.x];
	__syncthreads();
	x[threadIdx.x] = part[threadIdx.x];
}

// planted_alignment reads a vector of 16 bytes at an address that is no multiple of 16.
extern "C" __global__ void planted_alignment(int *x) {
	int4 v = *reinterpret_cast<int4 *>(x + 1);
	x[0] = v.x;
}

// Counts the results of votes, shuffles and bit counts that are wrong.
extern "C" __global__ void warp_functions(int *wrong) {
	int lane = int(threadIdx.x) % 32, bad = 0;
	const unsigned all = 0xffffffffu;
	bad += __shfl_sync(all, lane, 5) != 5;
	bad += __shfl_sync(all, lane, 5, 8) != (lane & ~7) + 5;
	bad += __shfl_down_sync(all, lane, 3) != (lane + 3 < 32 ? lane + 3 : lane);
	bad += __shfl_up_sync(all, lane, 3) != (lane >= 3 ? lane - 3 : lane);
	bad += __shfl_xor_sync(all, (long long)lane << 40, 16) != (long long)(lane ^ 16) << 40;
	bad += __shfl_xor_sync(all, 0.5 * lane, 1) != 0.5 * (lane ^ 1);
	bad += __ballot_sync(all, lane % 3 == 0) != 0x49249249u;
	bad += (__any_sync(all, lane == 7) != 0) != true;
	bad += (__all_sync(all, lane < 31) != 0) != false;
	bad += (__syncthreads_or(threadIdx.x == 40) != 0) != true;
	bad += (__syncthreads_and(threadIdx.x != 40) != 0) != false;
	bad += __syncthreads_count(threadIdx.x >= 60) != 4;
	bad += __popc(0xf0f0u) != 8 || __clz(1) != 31 || __ffs(8) != 4 || __clzll(1) != 63 || __popcll(~0ull) != 64;
	if (bad) atomicAdd(wrong, bad);
}

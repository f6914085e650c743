// A stand-in for libcublas, of the version VERSION. It has GemmEx, with the library's checks of
// its arguments. The stand-in driver runs the product as a kernel, so that streams and graphs
// can hold it. A handle takes a little device memory. Its end waits for the whole device, as
// in the library.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };

enum { ALLOC_FAILED = 3, INTERNAL_ERROR = 14, OUT_OF_MEMORY = 2 };

struct handle { void *stream, *workspace; int math; uint64_t memory; };

// driver returns a function of the driver, which is already loaded under that name.
static void *driver(const char *name) { return dlsym(dlopen("libcuda.so.1", RTLD_NOW), name); }

// starts reports whether SWEEP_EMULATE_CUBLAS lists the version, or is not set.
static int starts(void) {
	const char *list = getenv("SWEEP_EMULATE_CUBLAS");
	char version[8];
	snprintf(version, sizeof version, "%d", VERSION);
	return !list || strstr(list, version);
}

int cublasCreate_v2(void **h) {
	if (!starts()) return NOT_INITIALIZED;
	struct handle *b = calloc(1, sizeof *b);
	int (*allocate)(uint64_t *, size_t) = (int (*)(uint64_t *, size_t))driver("cuMemAlloc_v2");
	int r = allocate(&b->memory, 1024);
	if (r) {
		free(b);
		return r == OUT_OF_MEMORY ? ALLOC_FAILED : NOT_INITIALIZED;
	}
	*h = b;
	return 0;
}
int cublasDestroy_v2(void *h) {
	struct handle *b = h;
	int (*synchronize)(void) = (int (*)(void))driver("cuCtxSynchronize");
	int (*release)(uint64_t) = (int (*)(uint64_t))driver("cuMemFree_v2");
	int r = synchronize();
	if (!r) r = release(b->memory);
	free(b);
	return r ? INTERNAL_ERROR : 0;
}
int cublasSetStream_v2(void *h, void *stream) {
	struct handle *b = h;
	b->stream = stream;
	b->workspace = 0; // as the library does
	return 0;
}
int cublasSetWorkspace_v2(void *h, void *p, size_t n) {
	if (n > 0 && ((uintptr_t)p & 255)) return INVALID_VALUE;
	((struct handle *)h)->workspace = p;
	return 0;
}
int cublasSetMathMode(void *h, int mode) { ((struct handle *)h)->math = mode; return 0; }
int cublasSetAtomicsMode(void *h, int mode) { (void)h; return mode == 0 ? 0 : NOT_SUPPORTED; }
int cublasGetProperty(int which, int *value) { *value = which == 0 ? VERSION : 0; return 0; }
const char *cublasGetStatusString(int s) {
	switch (s) {
	case 0: return "CUBLAS_STATUS_SUCCESS";
	case ALLOC_FAILED: return "CUBLAS_STATUS_ALLOC_FAILED";
	case INTERNAL_ERROR: return "CUBLAS_STATUS_INTERNAL_ERROR";
	case NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
	case INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
	case EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
	case NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
	}
	return "CUBLAS_STATUS_UNKNOWN";
}

// cublasGemmEx: ta and tb say whether A and B are transposed, at, bt and ct are the types of
// A, B and C: 2 is float16. compute is 68 for float32. Math mode 16 keeps all sums in float32.
int cublasGemmEx(void *h, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, int at, int lda,
                 const void *b, int bt, int ldb, const void *beta, void *c, int ct, int ldc, int compute, int algorithm) {
	(void)algorithm;
	struct handle *blas = h;
	if (!blas) return NOT_INITIALIZED;
	// Without a workspace from the caller the library's results may differ from run to run.
	if (!blas->workspace) return INVALID_VALUE;
	if (m < 0 || n < 0 || k < 0 || lda < (ta ? k : m) || ldb < (tb ? n : k) || ldc < m) return INVALID_VALUE;
	if (at != 2 || bt != 2 || ct != 2 || compute != 68 || blas->math != 16) return NOT_SUPPORTED;
	if (m == 0 || n == 0) return 0;
	static int (*enqueue)(void *, const char *, const uint64_t *);
	if (!enqueue) *(void **)&enqueue = driver("standin_enqueue");
	float al, be;
	memcpy(&al, alpha, 4);
	memcpy(&be, beta, 4);
	uint64_t w[12] = {
		(uintptr_t)a, (uintptr_t)b, (uintptr_t)c, (uint32_t)m, (uint32_t)n, (uint32_t)k, (uint32_t)lda, (uint32_t)ldb,
		(uint32_t)ldc, (uint32_t)((ta != 0) | (tb != 0) << 1),
	};
	memcpy(&w[10], &al, 4);
	memcpy(&w[11], &be, 4);
	return enqueue(blas->stream, "standin_gemm", w) ? EXECUTION_FAILED : 0;
}

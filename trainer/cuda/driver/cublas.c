//go:build cuda

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cublas.h"

// Numbers of cudaDataType, cublasComputeType_t and cublasMath_t.
enum { CUDA_R_16F = 2, CUBLAS_COMPUTE_32F = 68, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION = 16 };

struct sweep_blas {
	void *lib;
	int (*create)(void **), (*destroy)(void *), (*set_stream)(void *, void *), (*set_workspace)(void *, void *, size_t);
	int (*set_math)(void *, int), (*set_atomics)(void *, int), (*property)(int, int *);
	int (*gemm)(void *, int, int, int, int, int, const void *, const void *, int, int, const void *, int, int,
	            const void *, void *, int, int, int, int);
	const char *(*text)(int);
};

sweep_blas *sweep_blas_open(const char *name, char *text, size_t n) {
	*text = 0;
	void *lib = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (!lib) {
		// A library that is installed and does not load is another problem: keep its message. A message that
		// begins with another name is of a library that this one needs.
		const char *e = dlerror();
		if (!strstr(e, "No such file") || strncmp(e, name, strlen(name))) snprintf(text, n, "%s", e);
		return 0;
	}
	sweep_blas *b = calloc(1, sizeof *b);
	b->lib = lib;
	const struct { void *to; const char *name; } functions[] = {
		{&b->create, "cublasCreate_v2"}, {&b->destroy, "cublasDestroy_v2"},
		{&b->set_stream, "cublasSetStream_v2"}, {&b->set_workspace, "cublasSetWorkspace_v2"},
		{&b->set_math, "cublasSetMathMode"}, {&b->set_atomics, "cublasSetAtomicsMode"},
		{&b->property, "cublasGetProperty"}, {&b->gemm, "cublasGemmEx"}, {&b->text, "cublasGetStatusString"},
	};
	for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++) {
		void *f = dlsym(lib, functions[i].name);
		if (!f) {
			snprintf(text, n, "%s: it lacks %s", name, functions[i].name);
			sweep_blas_close(b);
			return 0;
		}
		memcpy(functions[i].to, &f, sizeof f);
	}
	return b;
}

void sweep_blas_close(sweep_blas *b) {
	dlclose(b->lib);
	free(b);
}

int sweep_blas_version(const sweep_blas *b) {
	int major = 0, minor = 0;
	b->property(0, &major);
	b->property(1, &minor);
	return 1000 * major + 10 * minor;
}

int sweep_blas_create(const sweep_blas *b, void **handle) {
	int r = b->create(handle);
	if (r) return r;
	// Without atomics the same call gives the same bits. With the default math mode the library
	// might add parts of a sum in float16.
	r = b->set_atomics(*handle, 0);
	if (!r) r = b->set_math(*handle, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
	if (r) b->destroy(*handle);
	return r;
}

// cublasSetStream resets the handle's workspace, so that it is set again after it.
int sweep_blas_use(const sweep_blas *b, void *handle, void *stream, size_t workspace, size_t bytes) {
	int r = b->set_stream(handle, stream);
	if (!r) r = b->set_workspace(handle, (void *)workspace, bytes);
	return r;
}

int sweep_blas_destroy(const sweep_blas *b, void *handle) { return b->destroy(handle); }

int sweep_blas_gemm(const sweep_blas *b, void *handle, const sweep_gemm *g) {
	return b->gemm(handle, g->transa, g->transb, g->m, g->n, g->k, &g->alpha, (const void *)g->a, CUDA_R_16F, g->lda,
		(const void *)g->b, CUDA_R_16F, g->ldb, &g->beta, (void *)g->c, CUDA_R_16F, g->ldc, CUBLAS_COMPUTE_32F, -1);
}

const char *sweep_blas_text(const sweep_blas *b, int status) { return b->text(status); }

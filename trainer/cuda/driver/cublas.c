//go:build cuda

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "cublas.h"

static struct {
	int (*create)(void **), (*destroy)(void *), (*set_stream)(void *, void *), (*set_workspace)(void *, void *, size_t);
	int (*set_math)(void *, int), (*set_atomics)(void *, int), (*property)(int, int *);
	int (*gemm)(void *, int, int, int, int, int, const void *, const void *, int, int, const void *, int, int,
	            const void *, void *, int, int, int, int);
	const char *(*text)(int);
} blas;
static const char *failed = ""; // why the library did not load; "" where it is not installed
static int loaded;

// First wherever the dynamic linker looks, then where a toolkit is usually installed.
static const char *const names[] = {
	"libcublas.so.13", "libcublas.so.12", "libcublas.so.11",
	"/usr/local/cuda/lib64/libcublas.so.13", "/usr/local/cuda/lib64/libcublas.so.12", "/usr/local/cuda/lib64/libcublas.so.11",
};

static void load(void) {
	void *lib = 0;
	for (unsigned i = 0; !lib && i < sizeof names / sizeof *names; i++) {
		lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
		// A library that is installed and does not load is another problem: keep its message.
		const char *e = lib ? 0 : dlerror();
		if (e && !strstr(e, "No such file")) failed = strdup(e);
	}
	if (!lib) return;
	const struct { void *to; const char *name; } functions[] = {
		{&blas.create, "cublasCreate_v2"}, {&blas.destroy, "cublasDestroy_v2"},
		{&blas.set_stream, "cublasSetStream_v2"}, {&blas.set_workspace, "cublasSetWorkspace_v2"},
		{&blas.set_math, "cublasSetMathMode"}, {&blas.set_atomics, "cublasSetAtomicsMode"},
		{&blas.property, "cublasGetProperty"}, {&blas.gemm, "cublasGemmEx"}, {&blas.text, "cublasGetStatusString"},
	};
	for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++) {
		void *f = dlsym(lib, functions[i].name);
		if (!f) {
			failed = functions[i].name;
			return;
		}
		memcpy(functions[i].to, &f, sizeof f);
	}
	loaded = 1;
}

int sweep_blas_load(const char **why) {
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, load);
	*why = failed;
	return loaded;
}

int sweep_blas_version(void) {
	int major = 0, minor = 0;
	blas.property(0, &major);
	blas.property(1, &minor);
	return 1000 * major + 10 * minor;
}

int sweep_blas_create(void **handle) {
	int r = blas.create(handle);
	// Without atomics the same call gives the same bits. Math mode 0 never rounds float32
	// factors.
	if (!r) r = blas.set_atomics(*handle, 0);
	if (!r) r = blas.set_math(*handle, 0);
	return r;
}

// cublasSetStream resets the handle's workspace, so that it is set again after it.
int sweep_blas_use(void *handle, void *stream, size_t workspace, size_t bytes) {
	int r = blas.set_stream(handle, stream);
	if (!r) r = blas.set_workspace(handle, (void *)workspace, bytes);
	return r;
}

int sweep_blas_destroy(void *handle) { return blas.destroy(handle); }

int sweep_blas_gemm(void *handle, const sweep_gemm *g) {
	return blas.gemm(handle, g->transa, g->transb, g->m, g->n, g->k, &g->alpha, (const void *)g->a, g->typea, g->lda,
		(const void *)g->b, g->typeb, g->ldb, &g->beta, (void *)g->c, g->typec, g->ldc, g->compute, -1);
}

const char *sweep_blas_text(int status) { return blas.text(status); }

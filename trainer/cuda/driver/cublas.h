// cuBLAS without its headers: the few functions that we need, which are loaded at run time
// with the names and numbers of its documentation.
#pragma once
#include <stddef.h>

typedef struct {
	size_t a, b, c;             // addresses on the device
	int m, n, k, lda, ldb, ldc; // column-major
	int transa, transb;         // 1: transposed
	float alpha, beta;
} sweep_gemm;

// A sweep_blas is a loaded library.
typedef struct sweep_blas sweep_blas;

// sweep_blas_open loads a library. Where that fails it returns null, and why in text of n bytes, which is empty where
// there is no such library.
sweep_blas *sweep_blas_open(const char *name, char *text, size_t n);
void sweep_blas_close(sweep_blas *lib);
int sweep_blas_version(const sweep_blas *lib);
int sweep_blas_create(const sweep_blas *lib, void **handle);
int sweep_blas_use(const sweep_blas *lib, void *handle, void *stream, size_t workspace, size_t bytes);
int sweep_blas_destroy(const sweep_blas *lib, void *handle);
int sweep_blas_gemm(const sweep_blas *lib, void *handle, const sweep_gemm *g);
const char *sweep_blas_text(const sweep_blas *lib, int status);

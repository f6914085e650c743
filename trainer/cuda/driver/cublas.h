// cuBLAS without its headers: the few functions that we need, which are loaded at run time
// with the names and numbers of its documentation.
#include <stddef.h>

typedef struct {
	size_t a, b, c;             // addresses on the device
	int m, n, k, lda, ldb, ldc; // column-major
	int transa, transb;         // 1: transposed
	int typea, typeb, typec;    // cudaDataType: 0 float32, 14 bfloat16
	int compute;                // cublasComputeType_t: 68 float32, 77 TF32
	float alpha, beta;
} sweep_gemm;

// sweep_blas_load loads the library once. It returns 0 where that failed, and why.
int sweep_blas_load(const char **why);
int sweep_blas_version(void);
int sweep_blas_create(void **handle);
int sweep_blas_use(void *handle, void *stream, size_t workspace, size_t bytes);
int sweep_blas_destroy(void *handle);
int sweep_blas_gemm(void *handle, const sweep_gemm *g);
const char *sweep_blas_text(int status);

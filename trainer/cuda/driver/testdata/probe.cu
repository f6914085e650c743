// Kernels for the tests of the driver.

extern "C" __global__ void axpy(float *y, const float *x, float a, int n) {
	int i = int(blockIdx.x * blockDim.x + threadIdx.x);
	if (i < n) y[i] += a * x[i];
}

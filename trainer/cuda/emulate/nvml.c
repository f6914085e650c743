// A stand-in for libnvidia-ml, NVIDIA's management library. It knows the GPUs of the stand-in driver,
// their memory and what is taken of it. SWEEP_EMULATE_NVML=none: it does not start; mig: it knows
// neither utilization nor temperature, as of a part of a GPU.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API __attribute__((visibility("default")))

enum { NOT_SUPPORTED = 3, NOT_FOUND = 6, DRIVER_NOT_LOADED = 9 };

static int mode(const char *is) {
	const char *s = getenv("SWEEP_EMULATE_NVML");
	return s && !strcmp(s, is);
}

// driver returns a function of the driver, which is already loaded under that name.
static void *driver(const char *name) { return dlsym(dlopen("libcuda.so.1", RTLD_NOW), name); }

API int nvmlInit_v2(void) { return mode("none") ? DRIVER_NOT_LOADED : 0; }

// The handle of a GPU is its number and 1.
API int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
	unsigned number;
	if (sscanf(uuid, "GPU-00000000-0000-0000-0000-%12x", &number) != 1) return NOT_FOUND;
	*device = (void *)(uintptr_t)(number + 1);
	return 0;
}

API int nvmlDeviceGetMemoryInfo(void *device, unsigned long long memory[3]) {
	int (*of)(int, size_t *, size_t *) = (int (*)(int, size_t *, size_t *))driver("emulated_memory");
	size_t free, total;
	if (of((int)(uintptr_t)device - 1, &free, &total)) return NOT_FOUND;
	memory[0] = total, memory[1] = free, memory[2] = total - free;
	return 0;
}

API int nvmlDeviceGetUtilizationRates(void *device, unsigned percent[2]) {
	if (mode("mig")) return NOT_SUPPORTED;
	percent[0] = 75, percent[1] = 10;
	return 0;
}

API int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius) {
	if (mode("mig") || sensor != 0) return NOT_SUPPORTED;
	*celsius = 41;
	return 0;
}

API int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts) {
	*milliwatts = 350250;
	return 0;
}

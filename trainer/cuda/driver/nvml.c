//go:build cuda

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "nvml.h"

static struct {
	int (*init)(void), (*by_uuid)(const char *, void **);
	int (*memory)(void *, unsigned long long[3]); // total, free, used
	int (*utilization)(void *, unsigned[2]);      // percent: of kernels, of memory
	int (*temperature)(void *, int, unsigned *), (*power)(void *, unsigned *);
} nvml;

static char why[256];

static void load(void) {
	void *lib = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!lib) {
		snprintf(why, sizeof why, "%s", dlerror());
		return;
	}
	const struct { void *to; const char *name; } functions[] = {
		{&nvml.init, "nvmlInit_v2"}, {&nvml.by_uuid, "nvmlDeviceGetHandleByUUID"},
		{&nvml.memory, "nvmlDeviceGetMemoryInfo"}, {&nvml.utilization, "nvmlDeviceGetUtilizationRates"},
		{&nvml.temperature, "nvmlDeviceGetTemperature"}, {&nvml.power, "nvmlDeviceGetPowerUsage"},
	};
	for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++) {
		void *f = dlsym(lib, functions[i].name);
		if (!f) {
			snprintf(why, sizeof why, "libnvidia-ml.so.1 lacks %s", functions[i].name);
			return;
		}
		memcpy(functions[i].to, &f, sizeof f);
	}
	int status = nvml.init();
	if (status) snprintf(why, sizeof why, "libnvidia-ml.so.1 does not start: status %d", status);
}

const char *sweep_nvml_open(void) {
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, load);
	return *why ? why : 0;
}

int sweep_nvml_read(const char *uuid, sweep_usage *u) {
	void *device;
	int status = nvml.by_uuid(uuid, &device);
	if (status) return status;
	enum { GPU_SENSOR = 0 };
	unsigned long long memory[3];
	unsigned busy[2], celsius, milliwatts;
	*u = (sweep_usage){-1, -1, -1, -1, -1};
	if (!nvml.memory(device, memory)) u->total = (long long)memory[0], u->used = (long long)memory[2];
	if (!nvml.utilization(device, busy)) u->busy = (int)busy[0];
	if (!nvml.temperature(device, GPU_SENSOR, &celsius)) u->celsius = (int)celsius;
	if (!nvml.power(device, &milliwatts)) u->milliwatts = (int)milliwatts;
	return 0;
}

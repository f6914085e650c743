// A stand-in for libcuda.so.1 on a machine without a GPU. It has the functions of the
// driver that our program calls: devices and errors here, the others in memory.c,
// streams.c and modules.c, and settings.c says which faults each device has.
//
// The memory of all devices lies in this process and is shared with the process that runs
// the kernels (kernels.cc). A stream does its work as late as it may, when something waits
// for it. So a wait that the program forgot gives wrong results.
//
//   SWEEP_EMULATE_GPUS        number of GPUs, 1 if not set
//   SWEEP_EMULATE_MEMORY      bytes of memory of each GPU, 4 GiB if not set
//   SWEEP_EMULATE_VERSION     version of the driver, 13000 if not set
//   SWEEP_EMULATE_CAPABILITY  compute capability, 90 if not set
//   SWEEP_EMULATE_EAGER       if set, streams do their work at once
//   SWEEP_EMULATE_CUBLAS      versions of the stand-in cuBLAS that start, such as 12,11; all if not set
//   SWEEP_EMULATE_SETTINGS    faults of single devices: settings.c lists them
//   SWEEP_EMULATE_CONTROL     a file of such settings, which may come, change and go at any time
#include "driver.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static context contexts[MAX_DEVICES];
static int devices = -1; // -1 before cuInit
uint64_t capacity;
__thread context *current;
pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
int failed;

int enter(void) {
	if (!current || current->users == 0) return INVALID_CONTEXT;
	if (failed) return failed;
	setting *s = settings_of(current->device);
	if (s->fail && !s->fail_after && !sticky[current->device]) sticky[current->device] = s->fail;
	return sticky[current->device];
}

void relax(void) {
	pthread_mutex_unlock(&mutex);
	usleep(5000);
	pthread_mutex_lock(&mutex);
}

void unlock(guard *g) { (void)g; pthread_mutex_unlock(&mutex); }

// number reads a variable of the environment.
static uint64_t number(const char *name, uint64_t otherwise) {
	const char *s = getenv(name);
	return s && *s ? strtoull(s, 0, 10) : otherwise;
}

// ---- the process that runs kernels

static int to_kernels, from_kernels; // pipes

int ask(const struct request *q, struct reply *r) {
	struct reply ignored;
	if (!r) r = &ignored;
	if (write(to_kernels, q, sizeof *q) != sizeof *q) return failed = LAUNCH_FAILED;
	for (size_t n = 0; n < sizeof *r;) {
		ssize_t got = read(from_kernels, (char *)r + n, sizeof *r - n);
		if (got <= 0) return failed = LAUNCH_FAILED;
		n += (size_t)got;
	}
	return 0;
}

// start maps the memory of all devices and starts the program "kernels", which lies in the
// folder of this library.
static int start(void) {
	Dl_info self;
	char program[PATH_MAX], folder[PATH_MAX];
	if (!dladdr((void *)start, &self)) return NOT_INITIALIZED;
	snprintf(program, sizeof program, "%s", self.dli_fname);
	snprintf(folder, sizeof folder, "%s", dirname(program));
	snprintf(program, sizeof program, "%.*s/kernels", PATH_MAX - 16, folder);
	size_t bytes = (size_t)capacity * (size_t)devices;
	int memory = memfd_create("device memory", MFD_CLOEXEC), flags = MAP_SHARED | MAP_FIXED_NOREPLACE;
	void *base = (void *)ARENA_BASE;
	if (memory < 0 || ftruncate(memory, (off_t)bytes) || mmap(base, bytes, PROT_READ | PROT_WRITE, flags, memory, 0) != base) {
		perror("stand-in driver: device memory");
		return NOT_INITIALIZED;
	}
	int in[2], out[2];
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) return NOT_INITIALIZED;
	posix_spawn_file_actions_t files;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in[0], 0);
	posix_spawn_file_actions_adddup2(&files, out[1], 1);
	posix_spawn_file_actions_adddup2(&files, memory, 3);
	char *argv[] = {program, 0};
	pid_t pid;
	extern char **environ;
	int error = posix_spawn(&pid, program, &files, 0, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	close(in[0]);
	close(out[1]);
	to_kernels = in[1];
	from_kernels = out[0];
	if (error) {
		fprintf(stderr, "stand-in driver: %s: %s\n", program, strerror(error));
		return NOT_INITIALIZED;
	}
	return OK;
}

// ---- devices, contexts

API int cuInit(unsigned flags) {
	(void)flags;
	LOCK;
	if (devices >= 0) return devices ? OK : NO_DEVICE;
	devices = (int)number("SWEEP_EMULATE_GPUS", 1);
	if (devices > MAX_DEVICES) devices = MAX_DEVICES;
	capacity = number("SWEEP_EMULATE_MEMORY", 4ull << 30) & ~(uint64_t)4095;
	for (int i = 0; i < devices; i++) contexts[i].device = i;
	return devices ? start() : NO_DEVICE;
}

API int cuDriverGetVersion(int *v) { *v = (int)number("SWEEP_EMULATE_VERSION", 13000); return OK; }
API int cuDeviceGetCount(int *n) { LOCK; *n = devices; return devices < 0 ? NOT_INITIALIZED : OK; }
API int cuDeviceGet(int *d, int i) { *d = i; return i >= 0 && i < devices ? OK : INVALID_DEVICE; }
API int cuDeviceGetName(char *s, int n, int d) { LOCK; snprintf(s, (size_t)n, "%s", settings_of(d)->name); return OK; }
API int cuDeviceGetUuid(unsigned char id[16], int d) {
	for (int i = 0; i < 15; i++) id[i] = 0;
	id[15] = (unsigned char)d;
	return d >= 0 && d < devices ? OK : INVALID_DEVICE;
}
API int cuDeviceGetUuid_v2(unsigned char id[16], int d) { return cuDeviceGetUuid(id, d); }
API int cuDeviceTotalMem_v2(size_t *n, int d) { LOCK; *n = settings_of(d)->memory; return OK; }
API int cuDeviceGetAttribute(int *v, int attribute, int d) {
	LOCK;
	switch (attribute) {
	case 1: *v = 1024; return OK;       // threads of a block
	case 8: *v = 48 << 10; return OK;   // bytes of shared memory of a block
	case 10: *v = 32; return OK;        // threads of a warp
	case 16: *v = 4; return OK;         // multiprocessors
	case 75: *v = settings_of(d)->capability / 10; return OK;
	case 76: *v = settings_of(d)->capability % 10; return OK;
	case 97: *v = 227 << 10; return OK; // bytes of shared memory of a block whose kernel asks for more
	}
	return INVALID_VALUE;
}

API int cuDevicePrimaryCtxRetain(void **c, int d) {
	LOCK;
	if (d < 0 || d >= devices) return INVALID_DEVICE;
	setting *s = settings_of(d);
	if (s->fail && !s->fail_after) sticky[d] = s->fail;
	if (sticky[d]) return sticky[d];
	if (!free_on(d)) return OUT_OF_MEMORY; // a context takes some memory
	contexts[d].users++;
	*c = &contexts[d];
	return OK;
}
API int cuDevicePrimaryCtxRelease_v2(int d) { LOCK; contexts[d].users--; return OK; }
API int cuCtxSetCurrent(void *c) { current = c; return OK; }
API int cuCtxGetCurrent(void **c) { *c = current; return OK; }

// ---- errors

static const struct { int code; const char *name, *text; } errors[] = {
	{INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
	{OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
	{NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
	{NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
	{INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
	{INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
	{INVALID_PTX, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
	{INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
	{NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
	{NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
	{46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"},
	{214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"},
	{700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
	{714, "CUDA_ERROR_HARDWARE_STACK_ERROR", "hardware stack error"},
	{716, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
	{LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
	{999, "CUDA_ERROR_UNKNOWN", "unknown error"},
	{CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
	{CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
		"operation failed due to a previous error during capture"},
	{CAPTURE_IMPLICIT, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT",
		"operation would make the legacy stream depend on a capturing blocking stream"},
	{CAPTURE_WRONG_THREAD, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD",
		"attempt to terminate a thread-local capture sequence from another thread"},
	{CAPTURE_ISOLATION, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "dependency created on uncaptured work in another stream"},
};
API int cuGetErrorName(int code, const char **s) {
	for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++)
		if (errors[i].code == code) return *s = errors[i].name, OK;
	return INVALID_VALUE;
}
API int cuGetErrorString(int code, const char **s) {
	for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++)
		if (errors[i].code == code) return *s = errors[i].text, OK;
	return INVALID_VALUE;
}

// A stand-in libcuda.so.1: what of the driver our program calls, on a machine
// without a GPU. Memory lies in this process and is shared with the one that runs
// the kernels (kernels.cc). Streams do their work as late as they may, when
// something waits for it, so that a wait that is missing gives wrong results; with
// SWEEP_EMULATE_EAGER, at once.
//
//   SWEEP_EMULATE_GPUS    how many GPUs there are (1)
//   SWEEP_EMULATE_MEMORY  bytes of memory of each (4 GiB)
//   SWEEP_EMULATE_VERSION, SWEEP_EMULATE_CAPABILITY  13000 and 90, if nothing else
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "protocol.h"

#define API __attribute__((visibility("default")))

enum {
	OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, NO_DEVICE = 100, INVALID_DEVICE = 101, INVALID_CONTEXT = 201,
	INVALID_PTX = 218, INVALID_HANDLE = 400, NOT_FOUND = 500, LAUNCH_FAILED = 719, CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901,
	CAPTURE_ISOLATION = 905,
};

// ---- devices, contexts

typedef struct { int device, users; } context;

enum { MAX_DEVICES = 16, ALIGN = 256 };
static context contexts[MAX_DEVICES];
static int devices = -1;
static uint64_t capacity, used[MAX_DEVICES];
static __thread context *current;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int broken; // a kernel failed: nothing works any more, as with a GPU

// Every function holds the mutex; what needs a context checks it.
typedef struct { int held; } guard;
static void unlock(guard *g) { (void)g; pthread_mutex_unlock(&mutex); }
#define LOCK __attribute__((cleanup(unlock))) guard held = {pthread_mutex_lock(&mutex)}; (void)held
#define ENTER LOCK; if (!current || current->users == 0) return INVALID_CONTEXT; if (broken) return broken

static uint64_t number(const char *name, uint64_t otherwise) {
	const char *s = getenv(name);
	return s && *s ? strtoull(s, 0, 10) : otherwise;
}

// ---- the process that runs kernels

static int to_kernels, from_kernels;

static int ask(const struct request *q, struct reply *r) {
	struct reply ignored;
	if (!r) r = &ignored;
	if (write(to_kernels, q, sizeof *q) != sizeof *q) return broken = LAUNCH_FAILED;
	for (size_t n = 0; n < sizeof *r;) {
		ssize_t got = read(from_kernels, (char *)r + n, sizeof *r - n);
		if (got <= 0) return broken = LAUNCH_FAILED;
		n += (size_t)got;
	}
	return 0;
}

static int start(void) {
	Dl_info self;
	char program[PATH_MAX];
	if (!dladdr((void *)start, &self)) return NOT_INITIALIZED;
	snprintf(program, sizeof program, "%s", self.dli_fname);
	char folder[PATH_MAX];
	snprintf(folder, sizeof folder, "%s", dirname(program));
	snprintf(program, sizeof program, "%.*s/kernels", PATH_MAX - 16, folder);
	size_t bytes = (size_t)capacity * (size_t)devices;
	int memory = memfd_create("device memory", MFD_CLOEXEC);
	void *base = (void *)ARENA_BASE;
	if (memory < 0 || ftruncate(memory, (off_t)bytes) || mmap(base, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, memory, 0) != base) {
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
	int failed = posix_spawn(&pid, program, &files, 0, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	close(in[0]);
	close(out[1]);
	to_kernels = in[1];
	from_kernels = out[0];
	if (failed) {
		fprintf(stderr, "stand-in driver: %s: %s\n", program, strerror(failed));
		return NOT_INITIALIZED;
	}
	return OK;
}

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
API int cuDeviceGetName(char *s, int n, int d) { (void)d; snprintf(s, (size_t)n, "emulated on the CPU"); return OK; }
API int cuDeviceTotalMem_v2(size_t *n, int d) { (void)d; *n = capacity; return OK; }
API int cuDeviceGetAttribute(int *v, int attribute, int d) {
	(void)d;
	switch (attribute) {
	case 1: *v = 1024; return OK;    // threads a block
	case 8: *v = 48 << 10; return OK; // shared memory of a block
	case 10: *v = 32; return OK;     // threads a warp
	case 16: *v = 4; return OK;      // multiprocessors
	case 75: *v = (int)number("SWEEP_EMULATE_CAPABILITY", 90) / 10; return OK; // compute capability
	case 76: *v = (int)number("SWEEP_EMULATE_CAPABILITY", 90) % 10; return OK;
	case 97: *v = 227 << 10; return OK; // shared memory of a block that asks for it
	}
	return INVALID_VALUE;
}
API int cuDevicePrimaryCtxRetain(void **c, int d) {
	LOCK;
	if (d < 0 || d >= devices) return INVALID_DEVICE;
	contexts[d].users++;
	*c = &contexts[d];
	return OK;
}
API int cuDevicePrimaryCtxRelease_v2(int d) { LOCK; contexts[d].users--; return OK; }
API int cuCtxSetCurrent(void *c) { current = c; return OK; }
API int cuCtxGetCurrent(void **c) { *c = current; return OK; }

// ---- memory: first fit, with a gap that nobody may touch behind each allocation

typedef struct extent { uint64_t at, bytes; struct extent *next; } extent;
static extent *allocated[MAX_DEVICES], *pinned;

static uint64_t floor_of(int device) { return ARENA_BASE + capacity * (uint64_t)device; }

static extent *find(extent *list, uint64_t at, uint64_t bytes) {
	for (extent *e = list; e; e = e->next)
		if (at >= e->at && at + bytes <= e->at + e->bytes) return e;
	return 0;
}

static int on_device(uint64_t at, uint64_t bytes) { return find(allocated[current->device], at, bytes) != 0; }

static int drain_all(void);

API int cuMemGetInfo_v2(size_t *f, size_t *total) {
	ENTER;
	*f = capacity - used[current->device];
	*total = capacity;
	return OK;
}

API int cuMemAlloc_v2(uint64_t *p, size_t bytes) {
	ENTER;
	if (bytes == 0) return INVALID_VALUE;
	uint64_t room = (bytes + 2 * ALIGN - 1) & ~(uint64_t)(ALIGN - 1), at = floor_of(current->device);
	extent **link = &allocated[current->device];
	for (; *link && at + room > (*link)->at; link = &(*link)->next) at = ((*link)->at + (*link)->bytes + 2 * ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
	if (at + room > floor_of(current->device) + capacity) return OUT_OF_MEMORY;
	extent *e = malloc(sizeof *e);
	*e = (extent){at, bytes, *link};
	*link = e;
	used[current->device] += room;
	memset((void *)at, 0xFF, bytes); // NaN: nobody may rely on what was there
	*p = at;
	struct request q = {.kind = ALLOCATE, .words = {at, bytes}};
	return ask(&q, 0);
}

API int cuMemFree_v2(uint64_t p) {
	ENTER;
	int r = drain_all();
	if (r) return r;
	for (extent **link = &allocated[current->device]; *link; link = &(*link)->next) {
		extent *e = *link;
		if (e->at != p) continue;
		*link = e->next;
		used[current->device] -= (e->bytes + 2 * ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
		memset((void *)p, 0xFF, e->bytes);
		struct request q = {.kind = RELEASE, .words = {p, e->bytes}};
		free(e);
		return ask(&q, 0);
	}
	return INVALID_VALUE;
}

API int cuMemHostAlloc(void **p, size_t bytes, unsigned flags) {
	(void)flags;
	ENTER;
	if (posix_memalign(p, 4096, bytes)) return OUT_OF_MEMORY;
	memset(*p, 0xFF, bytes);
	extent *e = malloc(sizeof *e);
	*e = (extent){(uintptr_t)*p, bytes, pinned};
	pinned = e;
	return OK;
}

API int cuMemFreeHost(void *p) {
	ENTER;
	int r = drain_all();
	if (r) return r;
	for (extent **link = &pinned; *link; link = &(*link)->next) {
		extent *e = *link;
		if (e->at != (uintptr_t)p) continue;
		*link = e->next;
		free(e);
		free(p);
		return OK;
	}
	return INVALID_VALUE;
}

// ---- streams, events

typedef struct stream stream;
typedef struct { stream *in; uint64_t place; int recorded; struct timespec when; stream *captured; } event;

typedef struct work {
	enum { COPY, FILL, KERNEL, RECORD, WAIT } kind;
	uint64_t to, from, bytes; // COPY, FILL
	uint32_t value, width;    // FILL
	struct request launch;    // KERNEL
	event *event;             // RECORD, WAIT
	stream *until;            // WAIT: for this stream to have done
	uint64_t place;           // so many items
	struct work *next;
} work;

struct graph { work *first, **last; };
struct stream {
	work *first, **last;
	uint64_t given, done;
	int blocking;
	struct graph *capture;
	stream *next;
};
static stream legacy = {.last = &legacy.first}, *streams = &legacy;

static int drain(stream *s, uint64_t until);

static int perform(work *w) {
	switch (w->kind) {
	case COPY: memmove((void *)w->to, (void *)w->from, w->bytes); break;
	case FILL:
		for (uint64_t i = 0; i < w->bytes; i += w->width) memcpy((char *)w->to + i, &w->value, w->width);
		break;
	case KERNEL: return ask(&w->launch, 0);
	case RECORD: clock_gettime(CLOCK_MONOTONIC, &w->event->when); break;
	case WAIT: return drain(w->until, w->place);
	}
	return OK;
}

// drain does the work of a stream up to its until-th item.
static int drain(stream *s, uint64_t until) {
	while (s->done < until && s->first) {
		work *w = s->first;
		if (!(s->first = w->next)) s->last = &s->first;
		int r = perform(w);
		free(w);
		if (r) return r;
		s->done++;
	}
	return OK;
}

static int drain_all(void) {
	for (stream *s = streams; s; s = s->next) {
		int r = drain(s, s->given);
		if (r) return r;
	}
	return OK;
}

// drain_blocking is what work on the default stream waits for.
static int drain_blocking(void) {
	for (stream *s = streams; s; s = s->next) {
		int r = s->blocking || s == &legacy ? drain(s, s->given) : OK;
		if (r) return r;
	}
	return OK;
}

static int eager(void) { return getenv("SWEEP_EMULATE_EAGER") != 0; }

static int give(stream *s, work w) {
	if (!s) s = &legacy;
	work *copy = malloc(sizeof *copy);
	*copy = w;
	copy->next = 0;
	if (s->capture) {
		*s->capture->last = copy;
		s->capture->last = &copy->next;
		return OK;
	}
	*s->last = copy;
	s->last = &copy->next;
	s->given++;
	if (s == &legacy) return drain_blocking();
	return eager() ? drain(s, s->given) : OK;
}

API int cuCtxSynchronize(void) { ENTER; return drain_all(); }

API int cuStreamCreate(stream **out, unsigned flags) {
	ENTER;
	stream *s = calloc(1, sizeof *s);
	s->last = &s->first;
	s->blocking = !(flags & 1);
	s->next = streams;
	streams = s;
	*out = s;
	return OK;
}

API int cuStreamDestroy_v2(stream *s) {
	ENTER;
	int r = drain(s, s->given);
	for (stream **link = &streams; *link; link = &(*link)->next)
		if (*link == s) {
			*link = s->next;
			break;
		}
	// Kept for events that were recorded in it; a test's process is short.
	return r;
}

API int cuStreamSynchronize(stream *s) {
	ENTER;
	if (s && s->capture) return CAPTURE_UNSUPPORTED;
	return s ? drain(s, s->given) : drain_blocking();
}

API int cuStreamQuery(stream *s) { return cuStreamSynchronize(s); }

API int cuStreamWaitEvent(stream *s, event *e, unsigned flags) {
	(void)flags;
	ENTER;
	if (s && s->capture) return e->captured == s ? OK : CAPTURE_ISOLATION;
	if (!e->recorded) return OK;
	return give(s, (work){.kind = WAIT, .until = e->in, .place = e->place});
}

API int cuEventCreate(event **e, unsigned flags) { (void)flags; ENTER; return (*e = calloc(1, sizeof **e)) ? OK : OUT_OF_MEMORY; }
API int cuEventDestroy_v2(event *e) { ENTER; int r = drain_all(); free(e); return r; }

API int cuEventRecord(event *e, stream *s) {
	ENTER;
	if (!s) s = &legacy;
	if (s->capture) {
		e->captured = s;
		return OK;
	}
	int r = give(s, (work){.kind = RECORD, .event = e});
	e->in = s;
	e->place = s->given;
	e->recorded = 1;
	e->captured = 0;
	return r;
}

API int cuEventSynchronize(event *e) { ENTER; return e->recorded ? drain(e->in, e->place) : OK; }
API int cuEventQuery(event *e) { return cuEventSynchronize(e); }

API int cuEventElapsedTime(float *ms, event *a, event *b) {
	ENTER;
	if (!a->recorded || !b->recorded) return INVALID_HANDLE;
	if (a->in->done < a->place || b->in->done < b->place) return 600; // not ready
	*ms = (float)((double)(b->when.tv_sec - a->when.tv_sec) * 1e3 + (double)(b->when.tv_nsec - a->when.tv_nsec) / 1e6);
	return OK;
}

// ---- copies: asynchronous ones only from and to pinned memory, which a GPU needs
// for them to be asynchronous

static int copy_now(uint64_t to, uint64_t from, size_t n) {
	int r = drain_blocking();
	if (!r) memmove((void *)to, (void *)from, n);
	return r;
}

API int cuMemcpyHtoD_v2(uint64_t d, const void *s, size_t n) { ENTER; return on_device(d, n) ? copy_now(d, (uintptr_t)s, n) : INVALID_VALUE; }
API int cuMemcpyDtoH_v2(void *d, uint64_t s, size_t n) { ENTER; return on_device(s, n) ? copy_now((uintptr_t)d, s, n) : INVALID_VALUE; }
API int cuMemcpyHtoDAsync_v2(uint64_t d, const void *h, size_t n, stream *s) {
	ENTER;
	if (!on_device(d, n) || !find(pinned, (uintptr_t)h, n)) return INVALID_VALUE;
	return give(s, (work){.kind = COPY, .to = d, .from = (uintptr_t)h, .bytes = n});
}
API int cuMemcpyDtoHAsync_v2(void *h, uint64_t d, size_t n, stream *s) {
	ENTER;
	if (!on_device(d, n) || !find(pinned, (uintptr_t)h, n)) return INVALID_VALUE;
	return give(s, (work){.kind = COPY, .to = (uintptr_t)h, .from = d, .bytes = n});
}
API int cuMemcpyDtoDAsync_v2(uint64_t d, uint64_t from, size_t n, stream *s) {
	ENTER;
	if (!on_device(d, n) || !on_device(from, n)) return INVALID_VALUE;
	return give(s, (work){.kind = COPY, .to = d, .from = from, .bytes = n});
}
API int cuMemsetD8Async(uint64_t d, unsigned char v, size_t n, stream *s) {
	ENTER;
	return on_device(d, n) ? give(s, (work){.kind = FILL, .to = d, .bytes = n, .value = v, .width = 1}) : INVALID_VALUE;
}
API int cuMemsetD32Async(uint64_t d, unsigned v, size_t n, stream *s) {
	ENTER;
	if (d % 4 || !on_device(d, 4 * n)) return INVALID_VALUE;
	return give(s, (work){.kind = FILL, .to = d, .bytes = 4 * n, .value = v, .width = 4});
}

// ---- modules and launches. The PTX is not run, but what is launched must be in
// it, with the parameters that the kernel has on the CPU.

typedef struct { char *ptx; } module;
typedef struct function { uint32_t kernel, arguments; int shared; } function;

API int cuModuleLoadDataEx(module **m, const char *image, unsigned n, void *options, void **values) {
	(void)n; (void)options; (void)values;
	ENTER;
	if (!strstr(image, ".version") || !strstr(image, ".target")) return INVALID_PTX;
	*m = malloc(sizeof **m);
	(*m)->ptx = strdup(image);
	return OK;
}
API int cuModuleLoadData(module **m, const char *image) { return cuModuleLoadDataEx(m, image, 0, 0, 0); }
API int cuModuleUnload(module *m) { ENTER; free(m->ptx); free(m); return OK; }

// parameters reads the sizes of an entry's parameters; -1 if there is no entry.
static int parameters(const char *ptx, const char *name, uint32_t *sizes) {
	char entry[160];
	snprintf(entry, sizeof entry, ".entry %s(", name);
	const char *p = strstr(ptx, entry);
	if (!p) return -1;
	p += strlen(entry);
	const char *end = strchr(p, ')');
	int n = 0;
	while (n < MAX_ARGUMENTS && (p = strstr(p, ".param")) && p < end) {
		char type;
		int bits;
		if (sscanf(p, ".param .%c%d", &type, &bits) != 2) return -1;
		sizes[n++] = (uint32_t)bits / 8;
		p++;
	}
	return n;
}

API int cuModuleGetFunction(function **f, module *m, const char *name) {
	ENTER;
	uint32_t sizes[MAX_ARGUMENTS];
	int n = parameters(m->ptx, name, sizes);
	struct request q = {.kind = FIND};
	struct reply r;
	snprintf(q.name, sizeof q.name, "%s", name);
	int failed = ask(&q, &r);
	if (failed) return failed;
	if (n < 0 || r.kernel < 0) {
		fprintf(stderr, "stand-in driver: kernel %s is not in the %s\n", name, n < 0 ? "PTX: run go generate" : "C++");
		return NOT_FOUND;
	}
	if ((uint32_t)n != r.arguments || memcmp(sizes, r.sizes, sizeof *sizes * (size_t)n)) {
		fprintf(stderr, "stand-in driver: kernel %s has other parameters in the PTX: run go generate\n", name);
		return INVALID_PTX;
	}
	*f = malloc(sizeof **f);
	**f = (function){(uint32_t)r.kernel, r.arguments, 48 << 10};
	return OK;
}

API int cuFuncSetAttribute(function *f, int attribute, int value) {
	ENTER;
	if (attribute != 8 || value < 0 || value > 227 << 10) return INVALID_VALUE;
	f->shared = value;
	return OK;
}

API int cuLaunchKernel(function *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, stream *s, void **args, void **extra) {
	(void)extra;
	ENTER;
	if (!gx || !gy || !gz || !bx || !by || !bz || gx > 0x7fffffff || gy > 65535 || gz > 65535 || bx * by * bz > 1024 || bz > 64 || (int)shared > f->shared) return INVALID_VALUE;
	work w = {.kind = KERNEL, .launch = {.kind = LAUNCH, .kernel = f->kernel, .grid = {gx, gy, gz}, .block = {bx, by, bz}, .shared = shared}};
	for (uint32_t i = 0; i < f->arguments; i++) memcpy(&w.launch.words[i], args[i], 8);
	return give(s, w);
}

// standin_enqueue is how the stand-in cuBLAS gets its product into a stream.
API int standin_enqueue(stream *s, const char *name, const uint64_t *words) {
	ENTER;
	struct request q = {.kind = FIND};
	struct reply r;
	snprintf(q.name, sizeof q.name, "%s", name);
	int failed = ask(&q, &r);
	if (failed || r.kernel < 0) return NOT_FOUND;
	work w = {.kind = KERNEL, .launch = {.kind = LAUNCH, .kernel = (uint32_t)r.kernel, .grid = {1, 1, 1}, .block = {1, 1, 1}}};
	memcpy(w.launch.words, words, r.arguments * sizeof *words);
	return give(s, w);
}

// ---- graphs

API int cuStreamBeginCapture_v2(stream *s, int mode) {
	(void)mode;
	ENTER;
	if (!s || s->capture) return CAPTURE_UNSUPPORTED;
	s->capture = calloc(1, sizeof *s->capture);
	s->capture->last = &s->capture->first;
	return OK;
}
API int cuStreamEndCapture(stream *s, struct graph **g) {
	ENTER;
	if (!s->capture) return CAPTURE_INVALIDATED;
	*g = s->capture;
	s->capture = 0;
	return OK;
}
API int cuGraphInstantiateWithFlags(struct graph **out, struct graph *g, unsigned long long flags) {
	(void)flags;
	ENTER;
	struct graph *copy = calloc(1, sizeof *copy);
	copy->last = &copy->first;
	for (work *w = g->first; w; w = w->next) {
		work *c = malloc(sizeof *c);
		*c = *w;
		c->next = 0;
		*copy->last = c;
		copy->last = &c->next;
	}
	*out = copy;
	return OK;
}
API int cuGraphLaunch(struct graph *g, stream *s) {
	ENTER;
	for (work *w = g->first; w; w = w->next) {
		int r = give(s, *w);
		if (r) return r;
	}
	return OK;
}
API int cuGraphDestroy(struct graph *g) {
	ENTER;
	while (g->first) {
		work *w = g->first;
		g->first = w->next;
		free(w);
	}
	free(g);
	return OK;
}
API int cuGraphExecDestroy(struct graph *g) { return cuGraphDestroy(g); }

// ---- errors

static const struct { int code; const char *name, *text; } errors[] = {
	{INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"}, {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
	{NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"}, {NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
	{INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"}, {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
	{INVALID_PTX, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"}, {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
	{NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"}, {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
	{CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
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

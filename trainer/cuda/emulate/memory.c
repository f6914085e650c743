// The stand-in driver's memory: allocations on devices, pinned memory of the host, and
// copies that wait.
#include "driver.h"
#include <stdlib.h>
#include <string.h>

// An allocation holds the bytes from address at on. After each one follows a gap that
// nobody may touch. The devices' lists are in the order of addresses.
typedef struct allocation { uint64_t at, bytes; struct allocation *next; } allocation;
static allocation *on[MAX_DEVICES], *pinned;
static uint64_t used[MAX_DEVICES]; // bytes, in whole parts

enum { ALIGN = 256 };
static uint64_t with_gap(uint64_t bytes) { return (bytes + 2 * ALIGN - 1) & ~(uint64_t)(ALIGN - 1); }

// A real driver takes memory in parts of 2 MiB, so that free memory falls by more than what was asked for.
enum { PART = 2 << 20 };
static uint64_t parts(uint64_t bytes) { return (with_gap(bytes) + PART - 1) / PART * PART; }

// first returns the first address of a device's memory.
static uint64_t first(int device) { return ARENA_BASE + capacity * (uint64_t)device; }

static allocation *find(allocation *list, uint64_t at, uint64_t bytes) {
	for (allocation *a = list; a; a = a->next)
		if (at >= a->at && at + bytes <= a->at + a->bytes) return a;
	return 0;
}

int on_device(uint64_t address, uint64_t bytes) { return find(on[current->device], address, bytes) != 0; }
int is_pinned(const void *p, uint64_t bytes) { return find(pinned, (uintptr_t)p, bytes) != 0; }

uint64_t free_on(int device) {
	setting *s = settings_of(device);
	uint64_t busy = used[device] + s->taken;
	return busy < s->memory ? s->memory - busy : 0;
}

void charge(int64_t bytes) { used[current->device] += (uint64_t)bytes; }

API int cuMemGetInfo_v2(size_t *f, size_t *total) {
	ENTER;
	*f = free_on(current->device);
	*total = settings_of(current->device)->memory;
	return OK;
}

int cuDeviceGetCount(int *n);

// emulated_memory is cuMemGetInfo of any GPU: for the stand-in for NVML.
API int emulated_memory(int device, size_t *f, size_t *total) {
	int devices, r = cuDeviceGetCount(&devices);
	if (r || device < 0 || device >= devices) return INVALID_DEVICE;
	LOCK;
	*f = free_on(device);
	*total = settings_of(device)->memory;
	return OK;
}

// cuMemAlloc takes the first gap between allocations that is large enough.
API int cuMemAlloc_v2(uint64_t *p, size_t bytes) {
	ENTER;
	int r = unsafe_call();
	if (r) return r;
	if (bytes == 0) return INVALID_VALUE;
	if (refused()) return OUT_OF_MEMORY;
	uint64_t size = with_gap(bytes), at = first(current->device);
	allocation **link = &on[current->device];
	for (; *link && at + size > (*link)->at; link = &(*link)->next) at = (*link)->at + with_gap((*link)->bytes);
	if (parts(bytes) > free_on(current->device) || at + size > first(current->device) + capacity) return OUT_OF_MEMORY;
	allocation *a = malloc(sizeof *a);
	*a = (allocation){at, bytes, *link};
	*link = a;
	used[current->device] += parts(bytes);
	memset((void *)at, 0xFF, bytes); // NaN: fresh memory has no content to rely on
	*p = at;
	struct request q = {.kind = ALLOCATE, .words = {at, bytes}};
	return ask(&q, 0);
}

API int cuMemFree_v2(uint64_t p) {
	ENTER;
	int r = unsafe_call();
	if (!r) r = finish_all();
	if (r) return r;
	for (allocation **link = &on[current->device]; *link; link = &(*link)->next) {
		allocation *a = *link;
		if (a->at != p) continue;
		*link = a->next;
		used[current->device] -= parts(a->bytes);
		memset((void *)p, 0xFF, a->bytes);
		struct request q = {.kind = RELEASE, .words = {p, a->bytes}};
		free(a);
		return ask(&q, 0);
	}
	return INVALID_VALUE;
}

API int cuMemHostAlloc(void **p, size_t bytes, unsigned flags) {
	(void)flags;
	ENTER;
	int r = unsafe_call();
	if (r) return r;
	if (refused() || posix_memalign(p, 4096, bytes)) return OUT_OF_MEMORY;
	charge(HANDLE_BYTES);
	memset(*p, 0xFF, bytes);
	allocation *a = malloc(sizeof *a);
	*a = (allocation){(uintptr_t)*p, bytes, pinned};
	pinned = a;
	return OK;
}

API int cuMemFreeHost(void *p) {
	ENTER;
	int r = unsafe_call();
	if (!r) r = finish_all();
	if (r) return r;
	for (allocation **link = &pinned; *link; link = &(*link)->next) {
		allocation *a = *link;
		if (a->at != (uintptr_t)p) continue;
		*link = a->next;
		charge(-HANDLE_BYTES);
		free(a);
		free(p);
		return OK;
	}
	return INVALID_VALUE;
}

static int copy(uint64_t to, uint64_t from, size_t n) {
	int r = wide_call(CAPTURE_IMPLICIT);
	if (!r) r = finish_blocking();
	if (!r) memmove((void *)to, (void *)from, n);
	return r;
}

API int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t n) {
	ENTER;
	return on_device(to, n) ? copy(to, (uintptr_t)from, n) : INVALID_VALUE;
}
API int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t n) {
	ENTER;
	return on_device(from, n) ? copy((uintptr_t)to, from, n) : INVALID_VALUE;
}

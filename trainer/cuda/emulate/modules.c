// The stand-in driver's modules and launches. It does not run PTX. But a kernel that the
// program launches must be in the PTX, with the parameters that it has in C++.
#include "driver.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { char *ptx; } module;
typedef struct function {
	uint32_t kernel, arguments;
	int shared; // bytes of dynamic shared memory that a launch may use
	char name[128];
} function;

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

// parameters reads the sizes of a kernel's parameters from PTX and returns their number, or
// -1 where the kernel is not there.
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
	int error = ask(&q, &r);
	if (error) return error;
	if (n < 0 || r.kernel < 0) {
		fprintf(stderr, "stand-in driver: kernel %s is not in the %s\n", name, n < 0 ? "PTX: run go generate" : "C++");
		return NOT_FOUND;
	}
	if ((uint32_t)n != r.arguments || memcmp(sizes, r.sizes, sizeof *sizes * (size_t)n)) {
		fprintf(stderr, "stand-in driver: kernel %s has other parameters in the PTX: run go generate\n", name);
		return INVALID_PTX;
	}
	*f = malloc(sizeof **f);
	**f = (function){(uint32_t)r.kernel, r.arguments, 48 << 10, ""};
	snprintf((*f)->name, sizeof (*f)->name, "%s", name);
	return OK;
}

API int cuFuncSetAttribute(function *f, int attribute, int value) {
	ENTER;
	if (attribute != 8 || value < 0 || value > 227 << 10) return INVALID_VALUE;
	f->shared = value;
	return OK;
}

// cuLaunchKernel counts the arguments, which a real driver cannot: our program ends them
// with a null pointer.
API int cuLaunchKernel(function *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                       unsigned shared, stream *s, void **args, void **extra) {
	(void)extra;
	ENTER;
	if (!gx || !gy || !gz || gx > 0x7fffffff || gy > 65535 || gz > 65535) return INVALID_VALUE;
	if (!bx || !by || !bz || bx * by * bz > 1024 || bz > 64 || (int)shared > f->shared) return INVALID_VALUE;
	work w = {.kind = KERNEL, .launch = {
		.kind = LAUNCH, .kernel = f->kernel, .grid = {gx, gy, gz}, .block = {bx, by, bz}, .shared = shared,
	}};
	uint32_t n = 0;
	for (; args[n]; n++)
		if (n < f->arguments) memcpy(&w.launch.words[n], args[n], 8);
	if (n != f->arguments) {
		fprintf(stderr, "stand-in driver: kernel %s has %u parameters and was given %u\n", f->name, f->arguments, n);
		return INVALID_VALUE;
	}
	return enqueue(s, w);
}

// standin_enqueue puts the product of the stand-in cuBLAS on a stream.
API int standin_enqueue(stream *s, const char *name, const uint64_t *words) {
	ENTER;
	struct request q = {.kind = FIND};
	struct reply r;
	snprintf(q.name, sizeof q.name, "%s", name);
	if (ask(&q, &r) || r.kernel < 0) return NOT_FOUND;
	work w = {.kind = KERNEL, .launch = {.kind = LAUNCH, .kernel = (uint32_t)r.kernel, .grid = {1, 1, 1}, .block = {1, 1, 1}}};
	memcpy(w.launch.words, words, r.arguments * sizeof *words);
	return enqueue(s, w);
}

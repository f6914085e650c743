//go:build cuda

// Fills the slots of trampolines.S from libcuda.so.1 when the program first asks for a GPU.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include "loader.h"

enum { NO_DEVICE = 100, NOT_FOUND = 500 };

static int no_driver(void) { return NO_DEVICE; }
static int not_exported(void) { return NOT_FOUND; }

#define SYMBOL(name) __attribute__((visibility("hidden"))) void *sweep_slot_##name = (void *)no_driver;
#include "symbols.h"
#undef SYMBOL

static const struct { const char *name; void **slot; } symbols[] = {
#define SYMBOL(name) {#name, &sweep_slot_##name},
#include "symbols.h"
#undef SYMBOL
};

// gorgonia.org/cu calls cuInit when the program starts, and ends the program where it fails.
// So this cuInit does nothing. sweep_load_driver calls the driver's own, when a GPU is asked
// for.
__attribute__((visibility("hidden"))) int cuInit(unsigned flags) { (void)flags; return 0; }

static sweep_driver state;

static void load(void) {
	void *lib = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
	if (!lib) {
		state.missing = strdup(dlerror());
		return;
	}
	state.found = 1;
	for (unsigned i = 0; i < sizeof symbols / sizeof *symbols; i++) {
		void *f = dlsym(lib, symbols[i].name);
		*symbols[i].slot = f ? f : (void *)not_exported;
	}
	int (*version)(int *) = (int (*)(int *))dlsym(lib, "cuDriverGetVersion");
	if (version) version(&state.version);
	int (*init)(unsigned) = (int (*)(unsigned))dlsym(lib, "cuInit");
	state.init = init ? init(0) : NOT_FOUND;
}

sweep_driver sweep_load_driver(void) {
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, load);
	return state;
}

// Calls that tell the sanitizers of memory and fibers, and nothing without them.
#pragma once
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#if defined(CUDA_CPU_TSAN)
#include <sanitizer/tsan_interface.h>
#define TSAN_ACQUIRE(p) __tsan_acquire(p)
#define TSAN_RELEASE(p) __tsan_release(p)
#define TSAN_FIBER() __tsan_create_fiber(0)
#define TSAN_THIS() __tsan_get_current_fiber()
#define TSAN_SWITCH(f) __tsan_switch_to_fiber(f, __tsan_switch_to_fiber_no_sync)
#else
#define TSAN_ACQUIRE(p) ((void)(p))
#define TSAN_RELEASE(p) ((void)(p))
#define TSAN_FIBER() nullptr
#define TSAN_THIS() nullptr
#define TSAN_SWITCH(f) ((void)(f))
#endif

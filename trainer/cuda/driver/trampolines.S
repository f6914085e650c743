//go:build cuda

// Defines every function of the driver as a jump through a slot, which loader.c fills. So the
// program links without libcuda.so and starts on machines without it.

	.text
#if defined(__x86_64__)
#define SYMBOL(name) .globl name; .hidden name; .type name, @function; name: jmp *sweep_slot_##name(%rip); .size name, . - name
#elif defined(__aarch64__)
#define SYMBOL(name) .globl name; .hidden name; .type name, %function; name: adrp x16, sweep_slot_##name; ldr x16, [x16, :lo12:sweep_slot_##name]; br x16; .size name, . - name
#else
#error "the CUDA driver is called on amd64 and arm64 only"
#endif
#include "symbols.h"

	.section .note.GNU-stack, "", %progbits

// The messages between the stand-in driver and the process that runs the kernels. Both map
// the same memory at the same address, so that an address means the same in both.
#pragma once
#include <stdint.h>

// The address of the devices' memory, which neither AddressSanitizer nor ThreadSanitizer
// uses.
#define ARENA_BASE 0x7ea000000000ull

enum { MAX_ARGUMENTS = 32 };
enum request_kind { FIND, LAUNCH, ALLOCATE, RELEASE };

struct request {
	uint32_t kind;
	uint32_t kernel;                   // LAUNCH: its number
	uint32_t grid[3], block[3], shared; // LAUNCH
	char name[128];                    // FIND
	uint64_t words[MAX_ARGUMENTS];     // LAUNCH: arguments; ALLOCATE, RELEASE: address, bytes
};

struct reply {
	int32_t kernel;                 // FIND: its number; -1 if there is none
	uint32_t arguments;             // FIND
	uint32_t sizes[MAX_ARGUMENTS];  // FIND: bytes of each argument
};

// NVML, NVIDIA's management library, without its headers: the few functions that we need, which
// are loaded at run time with the names and structures of its documentation.
#pragma once

// What the library says of a GPU. What it does not know is −1.
typedef struct {
	long long used, total; // bytes of memory
	int busy;              // percent of the last sample in which a kernel ran
	int celsius;
	int milliwatts;
} sweep_usage;

// sweep_nvml_open loads and starts the library, once. It returns null, or why that failed.
const char *sweep_nvml_open(void);

// sweep_nvml_read reads a GPU by its UUID, after sweep_nvml_open has returned null. It returns a
// status of the library: 0 is success.
int sweep_nvml_read(const char *uuid, sweep_usage *usage);

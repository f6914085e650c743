// What the files of the stand-in driver share. driver.c describes the whole.
#pragma once
#define _GNU_SOURCE
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include "protocol.h"

// All other symbols of the library are hidden.
#define API __attribute__((visibility("default")))

// Results (CUresult).
enum {
	OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, NO_DEVICE = 100, INVALID_DEVICE = 101,
	INVALID_CONTEXT = 201, INVALID_PTX = 218, INVALID_HANDLE = 400, NOT_FOUND = 500, NOT_READY = 600,
	LAUNCH_FAILED = 719, CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901, CAPTURE_ISOLATION = 905,
};

// ---- driver.c: devices, contexts, the process that runs kernels

enum { MAX_DEVICES = 16 };
typedef struct { int device, users; } context;
extern __thread context *current;
extern uint64_t capacity; // bytes of each device's memory
extern int failed;        // result of the kernel that failed: then nothing works any more, as on a GPU

// Every function of the API holds the mutex. ENTER also checks that the thread has a context.
extern pthread_mutex_t mutex;
typedef struct { int locked; } guard;
void unlock(guard *g);
#define LOCK __attribute__((cleanup(unlock))) guard lock = {pthread_mutex_lock(&mutex)}; (void)lock
#define ENTER LOCK; if (!current || current->users == 0) return INVALID_CONTEXT; if (failed) return failed

// ask sends a request to the process that runs kernels and waits for the reply, which may be null.
int ask(const struct request *q, struct reply *r);

// ---- memory.c

int on_device(uint64_t address, uint64_t bytes); // lies in one allocation of the current device
int is_pinned(const void *p, uint64_t bytes);

// ---- streams.c: streams, events, graphs

typedef struct stream stream;
typedef struct {
	stream *in;         // the stream that it was recorded in
	uint64_t after;     // it has happened when the stream has done so many items
	int recorded;
	struct timespec when;
	stream *captured;   // the stream in whose capture it was recorded, or null
} event;

typedef struct work {
	enum { COPY, FILL, KERNEL, RECORD, WAIT } kind;
	uint64_t to, from, bytes; // COPY, FILL
	uint32_t value, width;    // FILL
	struct request launch;    // KERNEL
	event *event;             // RECORD
	stream *until;            // WAIT: for this stream to have done so many items:
	uint64_t items;
	struct work *next;
} work;

int enqueue(stream *s, work w); // s is null for the default stream
int finish_all(void);           // does the work of all streams
int finish_blocking(void);      // does the work that the default stream waits for

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
	CAPTURE_IMPLICIT = 906, CAPTURE_WRONG_THREAD = 908,
};

// ---- driver.c: devices, contexts, the process that runs kernels

enum { MAX_DEVICES = 16 };
typedef struct { int device, users; } context;
extern __thread context *current;
extern uint64_t capacity; // bytes of address space of each device's memory
extern int failed;        // result of the kernel that failed: then nothing works any more, as on a GPU

// Every function of the API holds the mutex. ENTER also checks that the thread has a context.
extern pthread_mutex_t mutex;
typedef struct { int locked; } guard;
void unlock(guard *g);
#define LOCK __attribute__((cleanup(unlock))) guard lock = {pthread_mutex_lock(&mutex)}; (void)lock
#define ENTER LOCK; int fault_ = enter(); if (fault_) return fault_
int enter(void);

// relax lets other threads call the API for a moment, while this one waits.
void relax(void);

// ask sends a request to the process that runs kernels and waits for the reply, which may be null.
int ask(const struct request *q, struct reply *r);

// ---- settings.c: what each device is told to do

typedef struct {
	uint64_t memory, taken; // bytes
	int fail, has_hang, has_refuse;
	uint64_t fail_after, hang_after, refuse_after;
	int capability;
	char name[64];
} setting;
setting *settings_of(int device); // as they are now
int refused(void);                // this allocating call is to fail
int launched(int device);         // counts a launch; hangs or returns the error that it is told to
extern int sticky[MAX_DEVICES];   // the error after which nothing works any more on a device

// ---- memory.c

// charge counts bytes of the driver's own on the current device, such as those of a stream.
enum { HANDLE_BYTES = 16 };
void charge(int64_t bytes);
uint64_t free_on(int device);

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
int finish_all(void);           // does the work of all streams of the device
int finish_blocking(void);      // does the work that the default stream waits for

// The rules of captures. Both return 0 where a call may go on, and else the error, which also
// spoils the captures that the call disturbs.
int unsafe_call(void); // of a call that may not be made in a thread that captures, such as one that allocates
int wide_call(int error); // of a call that concerns the whole device, such as one on the default stream

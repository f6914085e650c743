// The stand-in driver's streams, events, asynchronous copies and graphs.
#include "driver.h"
#include <stdlib.h>
#include <string.h>

struct graph { work *first, **last; };

struct stream {
	work *first, **last;    // work that is not done yet; last is where the next item is linked
	uint64_t given, done;   // items
	int blocking;           // the default stream waits for it
	struct graph *capture;  // where work is recorded, or null
	int mode, spoiled;      // of the capture: CU_STREAM_CAPTURE_MODE_…, and whether another call disturbed it
	pthread_t thread;       // that began it
	int device;
	int busy;               // a thread does an item of it
	stream *next;
};
static stream defaults[MAX_DEVICES], *streams;

// default_stream returns that of the current device.
static stream *default_stream(void) {
	stream *s = &defaults[current->device];
	if (!s->last) *s = (stream){.last = &s->first, .device = current->device, .next = streams}, streams = s;
	return s;
}

// A thread that captures in the mode thread-local spoils its capture with an unsafe call. One in the mode global is
// spoiled by such calls of all threads.
int unsafe_call(void) {
	int r = OK;
	for (stream *s = streams; s; s = s->next) {
		int own = s->capture && pthread_equal(s->thread, pthread_self()) && s->mode != 2;
		if (own || (s->capture && s->mode == 0)) s->spoiled = 1, r = CAPTURE_UNSUPPORTED;
	}
	return r;
}

// CUDA refuses to synchronise a context in which a stream captures. It refuses work on the default stream while a
// stream captures that the default stream waits for. Here it is refused beside any capture: that is stricter.
int wide_call(int error) {
	int r = unsafe_call();
	for (stream *s = streams; s; s = s->next)
		if (s->capture && s->device == current->device) s->spoiled = 1, r = error;
	return r;
}

static int finish(stream *s, uint64_t items);

static int perform(stream *s, work *w) {
	int r;
	switch (w->kind) {
	case COPY: memmove((void *)w->to, (void *)w->from, w->bytes); break;
	case FILL:
		for (uint64_t i = 0; i < w->bytes; i += w->width) memcpy((char *)w->to + i, &w->value, w->width);
		break;
	case KERNEL: return (r = launched(s->device)) ? r : ask(&w->launch, 0);
	case RECORD: clock_gettime(CLOCK_MONOTONIC, &w->event->when); break;
	case WAIT: return finish(w->until, w->items);
	}
	return OK;
}

// finish does the work of a stream until it has done so many items.
static int finish(stream *s, uint64_t items) {
	while (s->done < items) {
		if (s->busy) {
			relax();
			continue;
		}
		work *w = s->first;
		if (!w) break;
		if (!(s->first = w->next)) s->last = &s->first;
		s->busy = 1;
		int r = perform(s, w);
		s->busy = 0;
		free(w);
		if (r) return r;
		s->done++;
	}
	return OK;
}

int finish_all(void) {
	for (stream *s = streams; s; s = s->next) {
		int r = s->device == current->device ? finish(s, s->given) : OK;
		if (r) return r;
	}
	return OK;
}

int finish_blocking(void) {
	for (stream *s = streams; s; s = s->next) {
		int here = s->device == current->device;
		int r = here && (s->blocking || s == &defaults[s->device]) ? finish(s, s->given) : OK;
		if (r) return r;
	}
	return OK;
}

static void append(struct graph *g, const work *w) {
	work *copy = malloc(sizeof *copy);
	*copy = *w;
	copy->next = 0;
	*g->last = copy;
	g->last = &copy->next;
}

int enqueue(stream *s, work w) {
	if (!s) {
		int r = wide_call(CAPTURE_IMPLICIT);
		if (r) return r;
		s = default_stream();
	}
	if (s->capture) {
		append(s->capture, &w);
		return OK;
	}
	work *copy = malloc(sizeof *copy);
	*copy = w;
	copy->next = 0;
	*s->last = copy;
	s->last = &copy->next;
	s->given++;
	if (s == &defaults[s->device]) return finish_blocking();
	return getenv("SWEEP_EMULATE_EAGER") ? finish(s, s->given) : OK;
}

// ---- streams

API int cuCtxSynchronize(void) {
	ENTER;
	int r = wide_call(CAPTURE_UNSUPPORTED);
	return r ? r : finish_all();
}

API int cuStreamCreate(stream **out, unsigned flags) {
	ENTER;
	if (refused()) return OUT_OF_MEMORY;
	charge(HANDLE_BYTES);
	stream *s = calloc(1, sizeof *s);
	s->device = current->device;
	s->last = &s->first;
	s->blocking = !(flags & 1); // CU_STREAM_NON_BLOCKING
	s->next = streams;
	streams = s;
	*out = s;
	return OK;
}

// cuStreamDestroy keeps the stream's memory, for events that were recorded in it: the
// process of a test is short.
API int cuStreamDestroy_v2(stream *s) {
	ENTER;
	int r = finish(s, s->given);
	for (stream **link = &streams; *link; link = &(*link)->next)
		if (*link == s) {
			*link = s->next;
			charge(-HANDLE_BYTES);
			break;
		}
	return r;
}

API int cuStreamSynchronize(stream *s) {
	ENTER;
	if (s && s->capture) return CAPTURE_UNSUPPORTED;
	return s ? finish(s, s->given) : finish_blocking();
}

API int cuStreamQuery(stream *s) { return cuStreamSynchronize(s); }

API int cuStreamWaitEvent(stream *s, event *e, unsigned flags) {
	(void)flags;
	ENTER;
	if (s && s->capture) return e->captured == s ? OK : CAPTURE_ISOLATION;
	if (!e->recorded) return OK;
	return enqueue(s, (work){.kind = WAIT, .until = e->in, .items = e->after});
}

// ---- events

API int cuEventCreate(event **e, unsigned flags) {
	(void)flags;
	ENTER;
	if (refused()) return OUT_OF_MEMORY;
	charge(HANDLE_BYTES);
	return (*e = calloc(1, sizeof **e)) ? OK : OUT_OF_MEMORY;
}
API int cuEventDestroy_v2(event *e) { ENTER; int r = finish_all(); charge(-HANDLE_BYTES); free(e); return r; }

API int cuEventRecord(event *e, stream *s) {
	ENTER;
	if (!s) s = default_stream();
	if (s->capture) {
		e->captured = s;
		return OK;
	}
	int r = enqueue(s, (work){.kind = RECORD, .event = e});
	e->in = s;
	e->after = s->given;
	e->recorded = 1;
	e->captured = 0;
	return r;
}

API int cuEventSynchronize(event *e) { ENTER; return e->recorded ? finish(e->in, e->after) : OK; }
API int cuEventQuery(event *e) { return cuEventSynchronize(e); }

API int cuEventElapsedTime(float *ms, event *a, event *b) {
	ENTER;
	if (!a->recorded || !b->recorded) return INVALID_HANDLE;
	if (a->in->done < a->after || b->in->done < b->after) return NOT_READY;
	*ms = (float)((double)(b->when.tv_sec - a->when.tv_sec) * 1e3 + (double)(b->when.tv_nsec - a->when.tv_nsec) / 1e6);
	return OK;
}

// ---- asynchronous copies and fills. A GPU copies asynchronously only from and to pinned
// memory; here other memory is an error.

API int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t n, stream *s) {
	ENTER;
	if (!on_device(to, n) || !is_pinned(from, n)) return INVALID_VALUE;
	return enqueue(s, (work){.kind = COPY, .to = to, .from = (uintptr_t)from, .bytes = n});
}
API int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t n, stream *s) {
	ENTER;
	if (!on_device(from, n) || !is_pinned(to, n)) return INVALID_VALUE;
	return enqueue(s, (work){.kind = COPY, .to = (uintptr_t)to, .from = from, .bytes = n});
}
API int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t n, stream *s) {
	ENTER;
	if (!on_device(to, n) || !on_device(from, n)) return INVALID_VALUE;
	return enqueue(s, (work){.kind = COPY, .to = to, .from = from, .bytes = n});
}
API int cuMemsetD8Async(uint64_t to, unsigned char v, size_t n, stream *s) {
	ENTER;
	if (!on_device(to, n)) return INVALID_VALUE;
	return enqueue(s, (work){.kind = FILL, .to = to, .bytes = n, .value = v, .width = 1});
}
API int cuMemsetD32Async(uint64_t to, unsigned v, size_t n, stream *s) {
	ENTER;
	if (to % 4 || !on_device(to, 4 * n)) return INVALID_VALUE;
	return enqueue(s, (work){.kind = FILL, .to = to, .bytes = 4 * n, .value = v, .width = 4});
}

// ---- graphs

static struct graph *new_graph(void) {
	struct graph *g = calloc(1, sizeof *g);
	g->last = &g->first;
	return g;
}

API int cuStreamBeginCapture_v2(stream *s, int mode) {
	ENTER;
	if (!s || s->capture) return CAPTURE_UNSUPPORTED;
	s->capture = new_graph();
	s->mode = mode;
	s->spoiled = 0;
	s->thread = pthread_self();
	return OK;
}
API int cuStreamEndCapture(stream *s, struct graph **g) {
	ENTER;
	if (!s->capture) return CAPTURE_INVALIDATED;
	if (s->mode != 2 && !pthread_equal(s->thread, pthread_self())) return CAPTURE_WRONG_THREAD;
	*g = s->spoiled ? 0 : s->capture;
	s->capture = 0;
	return s->spoiled ? CAPTURE_INVALIDATED : OK;
}
API int cuGraphInstantiateWithFlags(struct graph **out, struct graph *g, unsigned long long flags) {
	(void)flags;
	ENTER;
	if (refused()) return OUT_OF_MEMORY;
	charge(HANDLE_BYTES);
	*out = new_graph();
	for (work *w = g->first; w; w = w->next) append(*out, w);
	return OK;
}
API int cuGraphLaunch(struct graph *g, stream *s) {
	ENTER;
	for (work *w = g->first; w; w = w->next) {
		int r = enqueue(s, *w);
		if (r) return r;
	}
	return OK;
}
static int destroy(struct graph *g) {
	while (g->first) {
		work *w = g->first;
		g->first = w->next;
		free(w);
	}
	free(g);
	return OK;
}
API int cuGraphDestroy(struct graph *g) { ENTER; return g ? destroy(g) : INVALID_VALUE; }
API int cuGraphExecDestroy(struct graph *g) {
	ENTER;
	if (!g) return INVALID_VALUE;
	charge(-HANDLE_BYTES);
	return destroy(g);
}

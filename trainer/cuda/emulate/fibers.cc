// Runs the threads of a block as fibers of one thread, which is fast and gives the same
// order every time. A barrier that not all threads reach is found at once. ThreadSanitizer
// is told of the fibers and of the order that barriers give them, and of no other order: so
// it finds a missing barrier, whatever the order in which the fibers run. This file itself
// is compiled without ThreadSanitizer.
#include <ucontext.h>
#include "cuda_cpu.h"
#include "sanitizers.h"

namespace cuda_cpu {

Block block;

struct Barrier {
	unsigned alive = 0, arrived = 0, turn = 0;
	// What ThreadSanitizer knows as the barrier's even and odd turns. Some threads arrive at
	// the next turn before others leave this one.
	char order[2];
};

struct Fiber : Thread {
	bool done = false;
	Barrier *at = nullptr; // waits at this barrier
	unsigned turn = 0;     // until its turn is no longer this one
	unsigned exchanges = 0; // see slots
	void *tsan = nullptr;
#if defined(__x86_64__)
	void *sp = nullptr;
#else
	ucontext_t context;
#endif
	bool ready() const { return !done && (!at || at->turn != turn); }
};

static std::vector<Fiber> fibers;
static std::vector<char> stacks;
static constexpr size_t stack_bytes = 64 << 10;
static Fiber caller; // the thread that called run
Thread *current;
static Fiber *running; // current, as a fiber
static const std::function<void()> *body;
static Barrier whole;
static std::vector<Barrier> warps;
static std::vector<unsigned long long> published;
static int votes;
static char started, ended; // what ThreadSanitizer knows as the start and end of a block
static bool backward = getenv("SWEEP_EMULATE_REVERSE") != nullptr;

[[noreturn]] void die(const char *why) {
	fprintf(stderr, "cuda_cpu: %s (block %u,%u,%u)\n", why, block.index.x, block.index.y, block.index.z);
	abort();
}

static Fiber *resume(Fiber *f) {
	current = running = f;
	return f;
}

#if defined(__x86_64__)
// Saves the registers that a call must preserve on this stack, and takes those of the other
// stack.
extern "C" void cuda_cpu_switch(void **from, void *to);
asm(R"(
	.text
	.globl cuda_cpu_switch
	.type cuda_cpu_switch, @function
cuda_cpu_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
	.size cuda_cpu_switch, . - cuda_cpu_switch
)");
static void swap(Fiber *from, Fiber *to) {
	TSAN_SWITCH(to->tsan);
	cuda_cpu_switch(&from->sp, to->sp);
}
static void prepare(Fiber &f, char *stack, void (*entry)()) {
	void **sp = reinterpret_cast<void **>((reinterpret_cast<uintptr_t>(stack) + stack_bytes) & ~uintptr_t(15));
	*--sp = nullptr; // the stack looks to entry as it does after a call
	*--sp = reinterpret_cast<void *>(entry);
	for (int i = 0; i < 6; i++) *--sp = nullptr;
	f.sp = sp;
}
#else
static void swap(Fiber *from, Fiber *to) {
	TSAN_SWITCH(to->tsan);
	swapcontext(&from->context, &to->context);
}
static void prepare(Fiber &f, char *stack, void (*entry)()) {
	getcontext(&f.context);
	f.context.uc_stack.ss_sp = stack;
	f.context.uc_stack.ss_size = stack_bytes;
	f.context.uc_link = nullptr;
	makecontext(&f.context, entry, 0);
}
#endif

// Switches to the next fiber that can run, or to the caller of run where all have ended.
static void next() {
	Fiber *me = running;
	unsigned n = block.threads, i = me->linear;
	bool all_done = true;
	for (unsigned tried = 0; tried < n; tried++) {
		i = backward ? (i + n - 1) % n : (i + 1) % n;
		all_done &= fibers[i].done;
		if (!fibers[i].ready()) continue;
		fibers[i].at = nullptr;
		if (&fibers[i] == me) return;
		swap(me, resume(&fibers[i]));
		return;
	}
	if (!all_done) die("deadlock: a barrier is not reached by all threads");
	swap(me, resume(&caller));
}

static void open(Barrier &b) {
	b.arrived = 0;
	b.turn++;
}

static void wait(Barrier &b) {
	char *order = &b.order[b.turn % 2];
	TSAN_RELEASE(order);
	if (++b.arrived >= b.alive) {
		open(b);
	} else {
		running->at = &b;
		running->turn = b.turn;
		next();
	}
	TSAN_ACQUIRE(order);
}

static void leave(Barrier &b) {
	TSAN_RELEASE(&b.order[b.turn % 2]);
	if (--b.alive > 0 && b.arrived >= b.alive) open(b);
}

static void entry() {
	TSAN_ACQUIRE(&started);
	(*body)();
	running->done = true;
	leave(warps[running->linear / warp_size]);
	leave(whole);
	TSAN_RELEASE(&ended);
	next();
	die("a fiber that ended was resumed");
}

void barrier_block() { wait(whole); }
void barrier_warp() { wait(warps[current->linear / warp_size]); }
// Each exchange takes the other one of two rows of slots. A lane writes to a row again only in the
// exchange after the next, when all lanes have read it: they have come to the barrier between.
unsigned long long *slots() {
	unsigned row = running->exchanges++ % 2;
	return &published[(current->linear / warp_size * 2 + row) * warp_size];
}
unsigned lanes() {
	unsigned first = current->linear / warp_size * warp_size;
	return block.threads - first < warp_size ? block.threads - first : warp_size;
}

int vote_block(int value) {
	votes += value != 0;
	wait(whole);
	int sum = votes;
	wait(whole);
	votes = 0;
	wait(whole);
	return sum;
}

static void run_block(size_t shared) {
	memset(block.dynamic, 0xCD, shared); // shared memory has no content to rely on
	unsigned n = block.threads;
	whole = Barrier{};
	whole.alive = n;
	warps.assign((n + warp_size - 1) / warp_size, Barrier{});
	published.resize(warps.size() * 2 * warp_size);
	for (unsigned i = 0; i < n; i++) {
		Fiber &f = fibers[i];
		void *tsan = f.tsan ? f.tsan : TSAN_FIBER();
		f = Fiber{};
		f.tsan = tsan;
		f.linear = i;
		f.index = dim3(i % block.size.x, i / block.size.x % block.size.y, i / (block.size.x * block.size.y));
		warps[i / warp_size].alive++;
		ASAN_UNPOISON_MEMORY_REGION(stacks.data() + stack_bytes * i, stack_bytes);
		prepare(f, stacks.data() + stack_bytes * i, entry);
	}
	caller.tsan = TSAN_THIS();
	TSAN_RELEASE(&started);
	swap(&caller, resume(&fibers[backward ? n - 1 : 0]));
	TSAN_ACQUIRE(&ended);
}

void run(dim3 grid, dim3 size, size_t shared, const std::function<void()> &kernel) {
	block.grid = grid;
	block.size = size;
	block.threads = size.x * size.y * size.z;
	body = &kernel;
	if (fibers.size() < block.threads) fibers.resize(block.threads);
	if (stacks.size() < stack_bytes * block.threads) stacks.resize(stack_bytes * block.threads);
	// Exactly as large as asked for, so that AddressSanitizer finds accesses past the end.
	if (posix_memalign(&block.dynamic, 128, shared ? shared : 1)) die("no memory");
	size_t blocks = size_t(grid.x) * grid.y * grid.z;
	for (size_t i = 0; i < blocks; i++) {
		size_t b = backward ? blocks - 1 - i : i;
		block.index = dim3(b % grid.x, b / grid.x % grid.y, b / (size_t(grid.x) * grid.y));
		run_block(shared);
	}
	free(block.dynamic);
}

} // namespace cuda_cpu

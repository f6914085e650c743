// The threads of a block as threads of the system, kept from block to block, for
// ThreadSanitizer and AddressSanitizer.
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include "cuda_cpu.h" // last: its words are not for the headers above

namespace cuda_cpu {

Block block;

// Each barrier has a mutex of its own: a common one would order threads that the
// kernel does not, and so hide races from ThreadSanitizer.
struct Barrier {
	std::mutex mutex;
	std::condition_variable moved;
	unsigned alive = 0, arrived = 0, turn = 0;

	void wait() {
		std::unique_lock<std::mutex> lock(mutex);
		unsigned mine = turn;
		if (++arrived >= alive) return open();
		auto late = std::chrono::system_clock::now() + std::chrono::minutes(1);
		if (!moved.wait_until(lock, late, [&] { return turn != mine; })) die("deadlock: a barrier is not reached by all threads");
	}
	void leave() {
		std::lock_guard<std::mutex> lock(mutex);
		if (--alive > 0 && arrived >= alive) open();
	}
	void open() {
		arrived = 0;
		turn++;
		moved.notify_all();
	}
};

// Each worker has a gate of its own too, and the end of a block a mutex that no
// start takes: else what an early thread did would be ordered before a late one.
struct Worker {
	Thread thread;
	std::thread system;
	std::mutex gate;
	std::condition_variable opened;
	bool go = false;
};

thread_local Thread *current;
static std::vector<Worker *> workers;
static std::mutex exits;
static std::condition_variable ended;
static unsigned running;
static const std::function<void()> *body;
static Barrier whole, warps[1024 / warp_size];
static unsigned long long published[1024];
static int votes;

[[noreturn]] void die(const char *why) {
	fprintf(stderr, "cuda_cpu: %s (block %u,%u,%u)\n", why, block.index.x, block.index.y, block.index.z);
	abort();
}

void barrier_block() { whole.wait(); }
void barrier_warp() { warps[current->linear / warp_size].wait(); }
unsigned long long *slots() { return &published[current->linear / warp_size * warp_size]; }
unsigned lanes() {
	unsigned first = current->linear / warp_size * warp_size;
	return block.threads - first < warp_size ? block.threads - first : warp_size;
}

int vote_block(int value) {
	__atomic_fetch_add(&votes, value != 0, __ATOMIC_RELAXED);
	whole.wait();
	int sum = __atomic_load_n(&votes, __ATOMIC_RELAXED);
	whole.wait();
	__atomic_store_n(&votes, 0, __ATOMIC_RELAXED);
	whole.wait();
	return sum;
}

static void work(Worker *w) {
	current = &w->thread;
	for (;;) {
		{
			std::unique_lock<std::mutex> lock(w->gate);
			w->opened.wait(lock, [&] { return w->go; });
			w->go = false;
		}
		(*body)();
		warps[w->thread.linear / warp_size].leave();
		whole.leave();
		std::lock_guard<std::mutex> lock(exits);
		if (--running == 0) ended.notify_one();
	}
}

static void run_block(size_t shared) {
	// A block's memory is its own allocation, so that its end is watched.
	std::vector<unsigned char> dynamic(shared ? shared : 1, 0xCD);
	unsigned n = block.threads;
	block.dynamic = dynamic.data();
	whole.alive = n;
	for (unsigned w = 0; w * warp_size < n; w++) warps[w].alive = n - w * warp_size < warp_size ? n - w * warp_size : warp_size;
	running = n;
	for (unsigned i = 0; i < n; i++) {
		Worker &w = *workers[i];
		std::lock_guard<std::mutex> lock(w.gate);
		w.thread.index = dim3(i % block.size.x, i / block.size.x % block.size.y, i / (block.size.x * block.size.y));
		w.go = true;
		w.opened.notify_one();
	}
	std::unique_lock<std::mutex> lock(exits);
	ended.wait(lock, [] { return running == 0; });
}

void run(dim3 grid, dim3 size, size_t shared, const std::function<void()> &kernel) {
	block.grid = grid;
	block.size = size;
	block.threads = size.x * size.y * size.z;
	body = &kernel;
	while (workers.size() < block.threads) {
		Worker *w = new Worker;
		w->thread.linear = unsigned(workers.size());
		workers.push_back(w);
		w->system = std::thread(work, w);
		w->system.detach();
	}
	size_t blocks = size_t(grid.x) * grid.y * grid.z;
	for (size_t b = 0; b < blocks; b++) {
		block.index = dim3(b % grid.x, b / grid.x % grid.y, b / (size_t(grid.x) * grid.y));
		run_block(shared);
	}
}

} // namespace cuda_cpu

// The process that runs kernels for the stand-in driver. It is a process of its own so that
// the sanitizers see the kernels and not Go. It reads requests from standard input and
// writes replies to standard output; descriptor 3 is the device's memory. It ends with the
// driver's process, or earlier if a sanitizer finds a bug in a kernel.
#include "cuda_cpu.h"
#include "protocol.h"
#include "sanitizers.h"
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cuda_cpu {

static std::vector<Kernel> &kernels() {
	static std::vector<Kernel> all;
	return all;
}

bool add(Kernel k) {
	kernels().push_back(std::move(k));
	return true;
}

// read copies a matrix, whose rows lie row numbers apart and whose columns lie column
// numbers apart, from float16 to float32.
static std::vector<float> read(const uint16_t *p, size_t rows, size_t columns, size_t row, size_t column) {
	std::vector<float> out(rows * columns);
	for (size_t i = 0; i < rows; i++)
		for (size_t j = 0; j < columns; j++) out[i * columns + j] = cuda_cpu_from_half(p[i * row + j * column]);
	return out;
}

static double norm(const float *v, int n) {
	double sum = 0;
	for (int i = 0; i < n; i++) sum += double(v[i]) * v[i];
	return std::sqrt(sum);
}

// standin_gemm is the product of the stand-in cuBLAS: C = alpha·A·B + beta·C, where C is M
// by N and column-major, and all are in float16. Bit 0 of transposed says that A is transposed,
// bit 1 that B is.
//
// A library may add in any order, and may truncate: a sum of K products is off by up to
// 1.25 K · 2^-23 · |a||b|. Here each sum is off by that much, up in one place and down in the next,
// so that bounds which leave it out are found wrong.
static void standin_gemm(const uint16_t *a, const uint16_t *b, uint16_t *c, int m, int n, int k, int lda, int ldb,
                         int ldc, int transposed, float alpha, float beta) {
	bool ta = transposed & 1, tb = transposed & 2;
	// as is M by K and bs is N by K: the numbers of one dot product lie side by side.
	auto as = read(a, m, k, ta ? lda : 1, ta ? 1 : lda);
	auto bs = read(b, n, k, tb ? 1 : ldb, tb ? ldb : 1);
	std::vector<double> an(m), bn(n);
	for (int i = 0; i < m; i++) an[i] = norm(&as[size_t(i) * k], k);
	for (int j = 0; j < n; j++) bn[j] = norm(&bs[size_t(j) * k], k);
	for (int j = 0; j < n; j++)
		for (int i = 0; i < m; i++) {
			const float *x = &as[size_t(i) * k], *y = &bs[size_t(j) * k];
			double sum[8] = {};
			int l = 0;
			for (; l + 8 <= k; l += 8)
				for (int u = 0; u < 8; u++) sum[u] += double(x[l + u]) * y[l + u];
			for (; l < k; l++) sum[0] += double(x[l]) * y[l];
			for (int u = 1; u < 8; u++) sum[0] += sum[u];
			double off = 1.25 * k * 0x1p-23 * an[i] * bn[j];
			unsigned mixed = unsigned(i) * 2654435761u + unsigned(j) * 40503u;
			sum[0] += mixed >> 16 & 1 ? off : -off;
			size_t at = size_t(j) * ldc + i;
			float v = alpha * float(sum[0]);
			if (beta != 0) v += beta * cuda_cpu_from_half(c[at]);
			c[at] = cuda_cpu_to_half(v);
		}
}

template <class... A, size_t... I>
static void call_once(void (*f)(A...), const unsigned long long *w, std::index_sequence<I...>) {
	std::tuple<A...> args;
	(memcpy(&std::get<I>(args), &w[I], sizeof(A)), ...);
	f(std::get<I>(args)...);
}

// add_once registers a kernel that is called once a launch and not once a thread.
template <class... A> static bool add_once(const char *name, void (*f)(A...)) {
	return add(Kernel{name, {unsigned(sizeof(A))...}, [f](dim3, dim3, size_t, const unsigned long long *w) {
		call_once(f, w, std::index_sequence_for<A...>{});
	}});
}

static const bool has_gemm = add_once("standin_gemm", standin_gemm);

static bool read_all(void *to, size_t n) {
	for (char *p = static_cast<char *>(to); n > 0;) {
		ssize_t got = ::read(0, p, n);
		if (got <= 0) return false;
		p += got;
		n -= size_t(got);
	}
	return true;
}

static std::vector<bool> launched;

// write_launched appends the names of the kernels that ran to the file that
// SWEEP_EMULATE_LAUNCHED names.
static void write_launched() {
	const char *path = getenv("SWEEP_EMULATE_LAUNCHED");
	FILE *f = path ? fopen(path, "a") : nullptr;
	if (!f) return;
	for (size_t i = 0; i < launched.size(); i++)
		if (launched[i]) fprintf(f, "%s\n", kernels()[i].name);
	fclose(f);
}

static void serve() {
	launched.resize(kernels().size());
	request q;
	while (read_all(&q, sizeof q)) {
		reply r{};
		switch (q.kind) {
		case FIND:
			r.kernel = -1;
			for (size_t i = 0; i < kernels().size(); i++)
				if (!strcmp(kernels()[i].name, q.name)) {
					r.kernel = int32_t(i);
					r.arguments = uint32_t(kernels()[i].sizes.size());
					for (uint32_t j = 0; j < r.arguments; j++) r.sizes[j] = kernels()[i].sizes[j];
				}
			break;
		case LAUNCH:
			launched[q.kernel] = true;
			kernels()[q.kernel].launch(dim3(q.grid[0], q.grid[1], q.grid[2]), dim3(q.block[0], q.block[1], q.block[2]),
				q.shared, reinterpret_cast<unsigned long long *>(q.words));
			break;
		case ALLOCATE:
			ASAN_UNPOISON_MEMORY_REGION(reinterpret_cast<void *>(q.words[0]), q.words[1]);
			break;
		case RELEASE:
			ASAN_POISON_MEMORY_REGION(reinterpret_cast<void *>(q.words[0]), q.words[1]);
			break;
		}
		if (write(1, &r, sizeof r) != sizeof r) return;
	}
}

} // namespace cuda_cpu

// The first race ends the process, and with it the test.
extern "C" __attribute__((visibility("default"))) const char *__tsan_default_options() { return "halt_on_error=1"; }
extern "C" __attribute__((visibility("default"))) const char *__asan_default_options() { return "detect_leaks=0"; }

int main() {
	struct stat s;
	if (fstat(3, &s) != 0) return fprintf(stderr, "kernels: descriptor 3 is not the device's memory\n"), 2;
	void *base = reinterpret_cast<void *>(ARENA_BASE);
	if (mmap(base, size_t(s.st_size), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, 3, 0) != base)
		return perror("kernels: map the device's memory"), 2;
	ASAN_POISON_MEMORY_REGION(base, size_t(s.st_size));
	cuda_cpu::serve();
	cuda_cpu::write_launched();
	_exit(0); // without destructors: they would wait for threads that never end
}

# Short names for what developers do often; .ci/run is what must pass.
export CGO_ENABLED = 0

.PHONY: build worker test test-servers test-chaos test-slurm test-kubernetes \
	test-race test-arm64 python-check wheel test-wheel interop ci fuzz bench \
	bench-sweep cuda cuda-worker generate-cuda test-cuda vet-cuda gpu-check test-gpu-check

# Without -trimpath, which would compile every package again: so this build, go run
# and go test share one cache, and after a change of one file only it and what
# imports it is compiled. Flags of the linker do not matter for that.
build: ## bin/sweep, with the embedded server (first build: about five minutes on two cores)
	go build -ldflags='-s -w' -o bin/sweep ./cmd/sweep

worker: ## bin/sweep-worker, without the server: small, for machines that only train
	go build -ldflags='-s -w' -tags noserver -o bin/sweep-worker ./cmd/sweep

test:
	go test ./...

test-servers: ## MinIO and its client mc, once, for the tests that need it: takes minutes
	storage/minio/miniotest/build.sh

# Longer pauses end heartbeats (20 s) and make claims look dead (15 s).
SEEDS ?= 1 2 3
test-chaos: ## the chaos test, longer and with several seeds: needs what deploy/stack needs; about 5 minutes a seed
	go test -c -o bin/chaos.test ./deploy/stack
	for seed in $(SEEDS); do \
		(cd deploy/stack && SWEEP_TEST_MUST_RUN=1 SWEEP_CHAOS_SEED=$$seed SWEEP_CHAOS_KILLS=80 SWEEP_CHAOS_PAUSE=25 \
			../../bin/chaos.test -test.run 'TestStack$$/^Chaos$$' -test.v -test.timeout 30m) || exit 1; \
	done

test-slurm: build ## sweep.sbatch on a real Slurm of two nodes: needs slurm-wlm and munge; about 10 minutes
	SWEEP_SLURM_TEST=$(CURDIR)/bin/sweep go test -count 1 -timeout 60m -v ./deploy/slurm

test-kubernetes: ## the manifests against the schemas of two versions of Kubernetes: needs python3 with venv
	deploy/kubernetes/check

test-race: ## what runs at once, under the race detector: needs gcc
	CGO_ENABLED=1 go test -timeout 20m -race -tags 'netgo osusergo noserver' -skip TestPeakMemory ./trainer ./trainer/data ./trainer/models ./trainer/cpu ./storage ./storage/dir ./sweep/ledger ./sweep/webhook ./cmd/sweep/monitor ./activities/...

test-arm64: ## the CPU backend's NEON path, in emulation: needs qemu-user
	GOARCH=arm64 go test -exec qemu-aarch64 -run 'TestKernels|TestTopK|TestBound|TestBackend|TestPathsFound' ./trainer/cpu

python-check: ## what the program writes, read by pandas, pyarrow, trackers and an SDK; and convert.py: needs python3 with venv
	deploy/python-check/run

wheel: ## dist/topksweep-*.whl, the program as a Python package: needs python3 with venv; GOOS and GOARCH choose another platform
	deploy/python/build.sh

test-wheel: ## that package, in a fresh virtual environment; SWEEP_TEST_TORCH=python with torch also tests models
	deploy/python/test.sh

interop: ## both ways with dictionary_learning, sparsify, SAELens and SAEBench: needs python3 with venv, 7 GB, 10 minutes
	deploy/interop/run

ci:
	.ci/run

# Finds the fuzz tests itself: a name that no test has would pass.
fuzz: ## each fuzz test for half a minute
	@for p in $$(git grep -l '^func Fuzz' -- '*_test.go' | xargs -n1 dirname | sort -u); do \
		for f in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\).*/\1/p' $$p/*_test.go); do \
			echo "== $$p $$f"; \
			go test -run '^$$' -fuzz "^$$f\$$" -fuzztime 30s -fuzzminimizetime 5x ./$$p || exit 1; \
		done; \
	done

bench: ## the CPU trainer against its ceilings, measured in the same process; output for benchstat
	go test -run '^$$' -bench . -benchmem ./trainer/cpu

# What a sweep costs besides training: docs/operation.md says what the table has.
RUNS ?= 10000
SLOTS ?= 16
SECONDS ?= 1
STORE ?= dir
bench-sweep: ## a sweep of runs that sleep: its table goes to bin/bench-sweep.md; RUNS, SLOTS, SECONDS, STORE=minio
	@mkdir -p bin
	SWEEP_BENCH_RUNS=$(RUNS) SWEEP_BENCH_SLOTS=$(SLOTS) SWEEP_BENCH_SECONDS=$(SECONDS) SWEEP_BENCH_STORE=$(STORE) \
		SWEEP_BENCH_TABLE=$(CURDIR)/bin/bench-sweep.md \
		go test -count 1 -timeout 0 -v -run '^TestMeasureSweep$$' ./cmd/sweep

# Only builds with the tag cuda use cgo. NVIDIA's headers come from its packages for pip, into
# a folder that git ignores: those of CUDA 12, or with CUDA=13 those of CUDA 13. With
# CUDA_HEADERS=/usr/local/cuda/include the headers are those of an installed toolkit.
CUDA ?= 12
CUDA_HEADERS ?= $(CURDIR)/.cuda/toolkit/$(if $(filter 13,$(CUDA)),13/nvidia/cu13/include,12/nvidia/cuda_runtime/include)
DRIVER = $(CURDIR)/trainer/cuda/driver
CGO_CUDA = CGO_ENABLED=1 CGO_CFLAGS="-O2 -I$(DRIVER)/compat -I$(CUDA_HEADERS)" CGO_LDFLAGS="-L$(DRIVER)/link"
# netgo and osusergo: without them packages net and user would use cgo too.
TAGS = -tags 'cuda noserver netgo osusergo'
KERNELS = $(wildcard trainer/cuda/kernels/*.cu trainer/cuda/driver/testdata/*.cu)
PTX = python3 trainer/cuda/toolkit/ptx.py .cuda/toolkit/nvrtc

.cuda/toolkit: trainer/cuda/toolkit/fetch
	trainer/cuda/toolkit/fetch $@ && touch $@

cuda: .cuda/toolkit ## bin/sweep-cuda: bin/sweep with the CUDA backend; runs without a GPU too
	$(CGO_CUDA) go build -trimpath -ldflags='-s -w' $(subst noserver,,$(TAGS)) -o bin/sweep-cuda ./cmd/sweep

cuda-worker: .cuda/toolkit ## bin/sweep-cuda-worker, without the server
	$(CGO_CUDA) go build -trimpath -ldflags='-s -w' $(TAGS) -o bin/sweep-cuda-worker ./cmd/sweep

generate-cuda: .cuda/toolkit ## compiles the kernels to the PTX that is committed
	$(PTX) $(KERNELS)

# The kernels as C++ for the CPU, and a driver that runs them: plain (fibers) and for the
# sanitizers (asan, tsan).
.cuda/emulate/%/kernels: $(KERNELS) $(wildcard trainer/cuda/kernels/*.cuh trainer/cuda/emulate/*)
	trainer/cuda/emulate/build $* $(@D) $(KERNELS)

EMULATED = LD_LIBRARY_PATH=$(CURDIR)/.cuda/emulate/$(1) SWEEP_EMULATE=$(CURDIR)/.cuda/emulate SWEEP_TEST_MUST_RUN=1 $(CGO_CUDA)
# -count=1: Go's cache of test results does not know the kernels.
TEST_CUDA = go test -count=1 -timeout 30m $(TAGS)
# ThreadSanitizer is slow: these tests are small and launch every kernel.
TSAN_CPU = TestAgainstCPU/^(segments|2_warps|3_warps|17_warps)$$/corrected|TestAgainstCPU/^1_warp$$/reference
TSAN_TESTS = $(TSAN_CPU)|TestBackend/median|TestSanitizedSteps

# They launch no kernel that others do not launch, many more times.
LONG_TESTS = TestBackend/(rows|heldout)|TestThousandSteps|TestOrder

test-cuda: .cuda/toolkit .cuda/emulate/fibers/kernels .cuda/emulate/asan/kernels .cuda/emulate/tsan/kernels ## the CUDA backend, without a GPU
	$(PTX) --check $(KERNELS)
	$(MAKE) vet-cuda
	$(MAKE) vet-cuda CUDA=13
	$(call EMULATED,fibers) $(subst noserver,,$(TEST_CUDA)) ./cmd/sweep -run 'CUDA|GPU' -parallel 5
	$(call EMULATED,fibers) $(TEST_CUDA) ./trainer/cuda/...
	SWEEP_EMULATE_EAGER=1 $(call EMULATED,fibers) $(TEST_CUDA) ./trainer/cuda -run TestEqualBits
	$(call EMULATED,asan) $(TEST_CUDA) -skip '$(LONG_TESTS)' ./trainer/cuda/kernels ./trainer/cuda
	rm -f .cuda/launched
	SWEEP_EMULATE_LAUNCHED=$(CURDIR)/.cuda/launched $(call EMULATED,tsan) $(TEST_CUDA) -short ./trainer/cuda/kernels
	SWEEP_EMULATE_LAUNCHED=$(CURDIR)/.cuda/launched $(call EMULATED,tsan) $(TEST_CUDA) ./trainer/cuda -run '$(TSAN_TESTS)'
	trainer/cuda/emulate/launched .cuda/launched trainer/cuda/kernels/*.cu

# One file with the tests, the benchmarks and the program, for a machine with a GPU, which needs
# neither Go nor this checkout nor a network. Where this machine has a GPU it runs at once.
# xz takes some four minutes of processor time, and makes a quarter of what it reads.
gpu-check: cuda ## bin/gpu-check: tests, benchmarks and a real sweep on a GPU, without Go
	rm -rf .cuda/check && mkdir -p .cuda/check
	for p in '' /driver /kernels; do \
		$(CGO_CUDA) go test -c -trimpath -ldflags='-s -w' $(TAGS) -o .cuda/check/ ./trainer/cuda$$p || exit 1; \
	done
	go build -trimpath -ldflags='-s -w' -o .cuda/check/rows ./trainer/cuda/bench/rows
	cp bin/sweep-cuda $(addprefix trainer/cuda/bench/,check *.sh *.yaml targets rivals.py) trainer/bench/compare.py .cuda/check
	tar -C .cuda/check -c . | xz -6 -T 2 >.cuda/check.tar.xz
	{ cat trainer/cuda/bench/unpack .cuda/check.tar.xz; } >bin/gpu-check && chmod +x bin/gpu-check && rm .cuda/check.tar.xz
	@if [ -e /dev/nvidiactl ]; then bin/gpu-check; else \
		echo 'no GPU here: copy bin/gpu-check to a machine with one and run it there'; fi

test-gpu-check: .cuda/emulate/fibers/kernels ## runs that file on an emulated GPU, after make gpu-check
	trainer/cuda/bench/test-emulated bin/gpu-check $(CURDIR)/.cuda/emulate/fibers

vet-cuda: .cuda/toolkit
	$(CGO_CUDA) go vet $(TAGS) ./trainer/cuda/...

# Short names for what developers do often; .ci/run is what must pass.
export CGO_ENABLED = 0

.PHONY: build worker test ci fuzz bench cuda-worker test-cuda generate-cuda gpu-check

build: ## bin/sweep, with the embedded server (first build: about five minutes on two cores)
	go build -trimpath -o bin/sweep ./cmd/sweep

worker: ## bin/sweep-worker, without the server: small, for machines that only train
	go build -trimpath -tags noserver -o bin/sweep-worker ./cmd/sweep

test:
	go test ./...

ci:
	.ci/run

fuzz: ## each parser for half a minute
	go test -run '^$$' -fuzz FuzzParse -fuzztime 30s ./sweep
	go test -run '^$$' -fuzz FuzzReadHeader -fuzztime 30s ./trainer/safetensors

bench:
	go test -run '^$$' -bench . -benchmem ./trainer/cpu

# Builds with the tag cuda, and only they, use cgo. NVIDIA's headers come from its
# packages for pip into a folder that git ignores; CUDA=13 takes those of CUDA 13,
# CUDA_HEADERS another folder.
CUDA ?= 12
CUDA_HEADERS ?= $(CURDIR)/.cuda/toolkit/$(if $(filter 13,$(CUDA)),13/nvidia/cu13/include,12/nvidia/cuda_runtime/include)
CGO_CUDA = CGO_ENABLED=1 CGO_CFLAGS="-O2 -I$(CURDIR)/trainer/cuda/driver/compat -I$(CUDA_HEADERS)" CGO_LDFLAGS="-L$(CURDIR)/trainer/cuda/driver/link"

.cuda/toolkit: trainer/cuda/toolkit/fetch
	trainer/cuda/toolkit/fetch $@ && touch $@

cuda-worker: .cuda/toolkit ## bin/sweep-cuda: the worker, with the CUDA backend; runs without a GPU too
	$(CGO_CUDA) go build -trimpath -tags 'cuda noserver' -o bin/sweep-cuda ./cmd/sweep

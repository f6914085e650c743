# Short names for what developers do often; .ci/run is what must pass.
export CGO_ENABLED = 0

.PHONY: build worker test ci fuzz bench

build: ## bin/sweep, with the embedded server (first build: about five minutes on two cores)
	go build -trimpath -o bin/sweep ./cmd/sweep

worker: ## bin/sweep-worker, without the server: small, for machines that only train
	go build -trimpath -tags noserver -o bin/sweep-worker ./cmd/sweep

test:
	go test ./...

ci:
	.ci/run

fuzz: ## each parser, and the choice of latents, for half a minute
	go test -run '^$$' -fuzz FuzzParse -fuzztime 30s ./sweep
	go test -run '^$$' -fuzz FuzzDecodeTrees -fuzztime 30s ./sweep
	go test -run '^$$' -fuzz FuzzReadHeader -fuzztime 30s ./trainer/safetensors
	go test -run '^$$' -fuzz FuzzChoose -fuzztime 30s ./trainer/cpu
	go test -run '^$$' -fuzz FuzzDecode -fuzztime 30s -fuzzminimizetime 5x ./trainer
	go test -run '^$$' -fuzz FuzzShard -fuzztime 30s ./trainer/data
	go test -run '^$$' -fuzz FuzzNpy -fuzztime 30s ./trainer/data
	go test -run '^$$' -fuzz FuzzParseManifest -fuzztime 30s ./storage
	go test -run '^$$' -fuzz FuzzStage -fuzztime 30s ./storage

bench: ## the CPU trainer against its ceilings, measured in the same process; output for benchstat
	go test -run '^$$' -bench . -benchmem ./trainer/cpu

# The sweep program with the CUDA backend and without the embedded Temporal server, for
# workers on NVIDIA GPUs. The build context is the repository. The image contains cuBLAS,
# which has NVIDIA's licence; the driver is that of the host.
FROM golang:1.26.8-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3-pip \
 && rm -rf /var/lib/apt/lists/*
RUN python3 -m pip download --quiet --no-deps --only-binary :all: --dest /cublas nvidia-cublas-cu12==12.9.1.4 \
 && python3 -m zipfile -e /cublas/*.whl /cublas \
 && install -D -t /out/lib /cublas/nvidia/cublas/lib/libcublas.so.12 /cublas/nvidia/cublas/lib/libcublasLt.so.12 \
 && rm -r /cublas
WORKDIR /src
# Modules have a layer of their own, so that a changed source file does not load them again.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN make cuda-worker

FROM debian:12.12-slim
# The certificates are for S3 and Temporal over TLS, and wget is for the health check.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates wget \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 sweep \
 && install -d -o sweep -g sweep /home/sweep/.cache
COPY --from=build /out/lib/ /usr/local/lib/
RUN ldconfig
COPY --from=build /src/bin/sweep-cuda-worker /usr/local/bin/sweep
# The driver keeps the kernels that it has compiled in the volume of caches: no other folder of
# the home directory can be written.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility CUDA_CACHE_PATH=/home/sweep/.cache/nv
USER sweep
ENTRYPOINT ["sweep"]

# A MinIO server and its client mc, which creates the workers' user, built from their last
# public sources: in 2026 the images were removed from the public registries and the
# repositories were archived, but the Go module proxy still has the modules. They have the
# licence AGPL; they run as programs of their own and are not linked into sweep. The build takes
# some minutes.
FROM golang:1.26.8-alpine3.23 AS build
ARG MINIO_VERSION=v0.0.0-20260212201848-7aac2a2c5b7c
ARG MC_VERSION=v0.0.0-20250313080218-cf909e1063a9
ENV CGO_ENABLED=0 GOBIN=/out
RUN go install -trimpath -ldflags='-s -w' github.com/minio/minio@${MINIO_VERSION}
RUN go install -trimpath -ldflags='-s -w' github.com/minio/mc@${MC_VERSION}

FROM alpine:3.23
RUN apk add --no-cache ca-certificates \
 && adduser -D -u 10001 minio \
 && install -d -o minio -g minio -m 0700 /data
COPY --from=build /out/minio /out/mc /usr/local/bin/
USER minio
VOLUME /data
EXPOSE 9000
# There is no web console: the public source does not contain it.
ENTRYPOINT ["minio", "server", "--address", ":9000", "/data"]

# The sweep program without the embedded Temporal server, for workers and for commands that
# use a server on another machine. The build context is the repository.
FROM golang:1.26.8-alpine3.23 AS build
WORKDIR /src
# Modules have a layer of their own, so that a changed source file does not load them again.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ENV CGO_ENABLED=0
RUN go build -trimpath -buildvcs=false -tags noserver -ldflags='-s -w' -o /out/sweep ./cmd/sweep

FROM alpine:3.23
# The certificates are for S3 and Temporal over TLS.
RUN apk add --no-cache ca-certificates \
 && adduser -D -u 10001 sweep \
 && install -d -o sweep -g sweep /home/sweep/.cache
COPY --from=build /out/sweep /usr/local/bin/sweep
USER sweep
ENTRYPOINT ["sweep"]

# The sweep program without the embedded Temporal server: workers and commands that
# talk to a server elsewhere. To be built with the repository as context.
FROM golang:1.26.8-alpine3.23 AS build
WORKDIR /src
# In a layer of their own: an edited source fetches no module again.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ENV CGO_ENABLED=0
RUN go build -trimpath -buildvcs=false -tags noserver -ldflags='-s -w' -o /out/sweep ./cmd/sweep

FROM alpine:3.23
# Certificates for S3 and Temporal over TLS.
RUN apk add --no-cache ca-certificates \
 && adduser -D -u 10001 sweep
COPY --from=build /out/sweep /usr/local/bin/sweep
USER sweep
ENTRYPOINT ["sweep"]

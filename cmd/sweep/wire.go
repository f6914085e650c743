package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/dir"
	"github.com/topksweep/sweep/storage/minio"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

// openStore opens a store by its URL: s3://bucket/prefix, file:///path or a plain
// path. Where S3 is and who asks comes from the environment (package
// storage/minio).
func openStore(ctx context.Context, url string) (storage.Store, error) {
	path, isFile := strings.CutPrefix(url, "file://")
	switch scheme, _, ok := strings.Cut(path, "://"); {
	case isFile || !ok:
	case scheme == "s3":
		return openBucket(ctx, url)
	default:
		return nil, inputError{fmt.Errorf("store %s: scheme %s is unknown; give s3://bucket/prefix or file:///path", url, scheme)}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", url, err)
	}
	return dir.Open(path)
}

func openBucket(ctx context.Context, url string) (storage.Store, error) {
	opts, err := minio.EnvOptions(os.Getenv)
	if err != nil {
		return nil, inputError{err}
	}
	opts.CreateBucket = os.Getenv("SWEEP_S3_CREATE_BUCKET") == "true"
	s, err := minio.Open(ctx, url, opts)
	switch {
	case errors.Is(err, minio.ErrLocation):
		return nil, inputError{err}
	case errors.Is(err, minio.ErrNoBucket):
		return nil, fmt.Errorf("%w; create it, or set SWEEP_S3_CREATE_BUCKET=true", err)
	case err != nil:
		return nil, err
	}
	return s, nil
}

// newBackend returns a backend by its name. threads is the number of threads
// that each run may use.
func newBackend(name string, threads int) (trainer.Backend, error) {
	switch name {
	case "cpu", "auto":
		return cpu.New(threads), nil
	}
	return nil, inputError{fmt.Errorf("backend %q: want cpu or auto", name)}
}

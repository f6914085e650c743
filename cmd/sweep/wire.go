package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/dir"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

// openStore opens a store by its URL: file:///path or a plain path.
func openStore(_ context.Context, url string) (storage.Store, error) {
	path, isFile := strings.CutPrefix(url, "file://")
	if scheme, _, ok := strings.Cut(path, "://"); ok && !isFile {
		return nil, inputError{fmt.Errorf("store %s: scheme %s is unknown; give file:///path", url, scheme)}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", url, err)
	}
	return dir.Open(path)
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

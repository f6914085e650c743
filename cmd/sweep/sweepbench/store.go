package sweepbench

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/topksweep/sweep/storage"
)

// A store counts what is asked of the one that it holds, once for each request as the program makes it: an object that
// a bucket takes in parts is one put.
type store struct {
	storage.Store
	probe *Probe
}

func (s store) count(kind, key string) {
	first, _, _ := strings.Cut(key, "/")
	s.probe.count(first, kind)
}

func (s store) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	s.count("get", key)
	return s.Store.Get(ctx, key)
}

func (s store) Put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	s.count("put", key)
	return s.Store.Put(ctx, key, body, size)
}

// PutNew implements storage.NewPutter.
func (s store) PutNew(ctx context.Context, key string, data []byte) error {
	s.count("putnew", key)
	return storage.PutNew(ctx, s.Store, key, data)
}

func (s store) List(ctx context.Context, prefix string) ([]storage.Object, error) {
	s.count("list", prefix)
	return s.Store.List(ctx, prefix)
}

func (s store) Delete(ctx context.Context, key string) error {
	s.count("delete", key)
	return s.Store.Delete(ctx, key)
}

// Fresh implements storage.Fresher.
func (s store) Fresh(ctx context.Context, key string) {
	if f, ok := s.Store.(storage.Fresher); ok {
		f.Fresh(ctx, key)
	}
}

// Clean implements storage.Cleaner.
func (s store) Clean(ctx context.Context, prefixes []string, before time.Time, dry bool) (int, error) {
	if c, ok := s.Store.(storage.Cleaner); ok {
		return c.Clean(ctx, prefixes, before, dry)
	}
	return 0, nil
}

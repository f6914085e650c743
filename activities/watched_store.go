package activities

import (
	"context"
	"io"
	"time"

	"github.com/topksweep/sweep/storage"
)

// A watchedStore tells the watch of an attempt of all bytes that the attempt reads and writes, and refuses what an
// attempt that is given up wants to write or read. It counts the requests.
type watchedStore struct {
	storage.Store
	metrics *metrics
}

func (s watchedStore) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	w := watchOf(ctx)
	if err := w.givenUp(); err != nil {
		return nil, storage.Wrap("get", key, err)
	}
	began := time.Now()
	r, err := s.Store.Get(ctx, key)
	s.metrics.asked("get", began, err)
	w.move()
	if err != nil {
		return nil, err
	}
	return watchedReader{r, w}, nil
}

func (s watchedStore) List(ctx context.Context, prefix string) (_ []storage.Object, err error) {
	w := watchOf(ctx)
	if err := w.givenUp(); err != nil {
		return nil, storage.Wrap("list", prefix, err)
	}
	defer w.move()
	defer s.count("list", time.Now(), &err)
	return s.Store.List(ctx, prefix)
}

func (s watchedStore) Put(ctx context.Context, key string, body io.ReaderAt, size int64) (err error) {
	w := watchOf(ctx)
	if err := w.givenUp(); err != nil {
		return storage.Wrap("put", key, err)
	}
	defer w.move()
	defer s.count("put", time.Now(), &err)
	return s.Store.Put(ctx, key, watchedBody{body, w}, size)
}

func (s watchedStore) PutNew(ctx context.Context, key string, data []byte) (err error) {
	w := watchOf(ctx)
	if err := w.givenUp(); err != nil {
		return storage.Wrap("putnew", key, err)
	}
	defer w.move()
	defer s.count("putnew", time.Now(), &err)
	return storage.PutNew(ctx, s.Store, key, data)
}

func (s watchedStore) Delete(ctx context.Context, key string) (err error) {
	w := watchOf(ctx)
	if err := w.givenUp(); err != nil {
		return storage.Wrap("delete", key, err)
	}
	defer w.move()
	defer s.count("delete", time.Now(), &err)
	return s.Store.Delete(ctx, key)
}

func (s watchedStore) count(operation string, began time.Time, err *error) {
	s.metrics.asked(operation, began, *err)
}

// Fresh implements storage.Fresher.
func (s watchedStore) Fresh(ctx context.Context, key string) {
	if f, ok := s.Store.(storage.Fresher); ok {
		f.Fresh(ctx, key)
	}
}

// A watchedReader counts the bytes of an object that is read as progress.
type watchedReader struct {
	io.ReadCloser
	watch *watch
}

func (r watchedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if n > 0 || err != nil {
		r.watch.move()
	}
	return n, err
}

// A watchedBody counts the bytes of an object that is hashed or stored as progress. It ends the write of an attempt
// that is given up.
type watchedBody struct {
	io.ReaderAt
	watch *watch
}

func (b watchedBody) ReadAt(p []byte, off int64) (int, error) {
	if err := b.watch.givenUp(); err != nil {
		return 0, err
	}
	n, err := b.ReaderAt.ReadAt(p, off)
	if n > 0 {
		b.watch.move()
	}
	return n, err
}

package storagetest

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/topksweep/sweep/storage"
)

// Memory is a store in memory, for tests of the code above stores.
type Memory struct {
	mu      sync.Mutex
	objects map[string][]byte
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{objects: map[string][]byte{}} }

func check(ctx context.Context, op, key string) error {
	err := storage.CheckKey(key)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return storage.Wrap(op, key, err)
}

// Put implements storage.Store.
func (m *Memory) Put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	if err := check(ctx, "put", key); err != nil {
		return err
	}
	b, err := io.ReadAll(io.NewSectionReader(body, 0, size))
	if err == nil && int64(len(b)) < size {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return storage.Wrap("put", key, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[key] = b
	return nil
}

// PutNew implements storage.NewPutter.
func (m *Memory) PutNew(ctx context.Context, key string, data []byte) error {
	if err := check(ctx, "putnew", key); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.objects[key]; ok {
		return storage.Wrap("putnew", key, storage.ErrExists)
	}
	m.objects[key] = bytes.Clone(data)
	return nil
}

// Get implements storage.Store.
func (m *Memory) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := check(ctx, "get", key); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.objects[key]
	if !ok {
		return nil, storage.Wrap("get", key, storage.ErrNotFound)
	}
	return io.NopCloser(memoryReader{ctx, bytes.NewReader(b)}), nil
}

type memoryReader struct {
	ctx context.Context
	r   io.Reader
}

func (m memoryReader) Read(p []byte) (int, error) {
	if m.ctx.Err() != nil {
		return 0, context.Cause(m.ctx)
	}
	return m.r.Read(p)
}

// List implements storage.Store.
func (m *Memory) List(ctx context.Context, prefix string) ([]storage.Object, error) {
	err := storage.CheckPrefix(prefix)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, storage.Wrap("list", prefix, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var objects []storage.Object
	for key, b := range m.objects {
		if strings.HasPrefix(key, prefix) {
			objects = append(objects, storage.Object{Key: key, Size: int64(len(b)), Modified: time.Unix(1, 0)})
		}
	}
	slices.SortFunc(objects, func(a, b storage.Object) int { return cmp.Compare(a.Key, b.Key) })
	return objects, nil
}

// Delete implements storage.Store.
func (m *Memory) Delete(ctx context.Context, key string) error {
	if err := check(ctx, "delete", key); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}

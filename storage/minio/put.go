package minio

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/topksweep/sweep/storage"
)

const crcHeader = "X-Amz-Checksum-Crc32c"

// Put writes an object: in one request if it is small, else in parts.
func (s *Store) Put(ctx context.Context, key string, src io.ReaderAt, size int64) error {
	if err := checkCall(ctx, key); err != nil {
		return storage.Wrap("put", key, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b := &body{src, size, cancel}
	var err error
	if size > s.opts.PartSize {
		err = s.putParts(ctx, key, b)
	} else {
		err = s.putWhole(ctx, key, b, minio.PutObjectOptions{})
	}
	return storage.Wrap("put", key, explain(err))
}

// PutNew writes an object in one request that the server refuses if there is one.
// If the answer to a request gets lost and it is repeated, the error may wrap
// ErrExists although it was this call that wrote the object.
func (s *Store) PutNew(ctx context.Context, key string, data []byte) error {
	if err := checkCall(ctx, key); err != nil {
		return storage.Wrap("putnew", key, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var opts minio.PutObjectOptions
	opts.SetMatchETagExcept("*")
	err := s.putWhole(ctx, key, &body{bytes.NewReader(data), int64(len(data)), cancel}, opts)
	if code(err) == minio.PreconditionFailed {
		err = storage.ErrExists
	}
	return storage.Wrap("putnew", key, explain(err))
}

func (s *Store) putWhole(ctx context.Context, key string, b *body, opts minio.PutObjectOptions) error {
	sum, err := b.sum(ctx, 0, b.size)
	if err != nil {
		return err
	}
	opts.UserMetadata = map[string]string{crcHeader: sum}
	return s.retry(ctx, s.opts.RetryFor, s.deadline(b.size), func(ctx context.Context) error {
		_, err := s.core.PutObject(ctx, s.bucket, s.name(key), io.NewSectionReader(b, 0, b.size), b.size, "", "", opts)
		return err
	})
}

// deadline is how long a request may take that carries n bytes.
func (s *Store) deadline(n int64) time.Duration {
	return s.opts.Timeout + time.Duration(n/slowest)*time.Second
}

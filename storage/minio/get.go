package minio

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/topksweep/sweep/storage"
)

// Get opens an object.
func (s *Store) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := checkCall(ctx, key); err != nil {
		return nil, storage.Wrap("get", key, err)
	}
	r := &reader{s: s, key: key}
	r.ctx, r.cancel = context.WithCancel(ctx)
	if err := r.connect(); err != nil {
		r.cancel()
		return nil, storage.Wrap("get", key, explain(err))
	}
	return r, nil
}

// A reader streams an object. When the connection breaks off it goes on where it
// was, if the object is still the same one. At the end it compares what it has read
// with the CRC32C that the server keeps for the object, if the server keeps one. If they
// disagree, the error wraps storage.ErrCorrupt, and package storage reads once more.
type reader struct {
	s      *Store
	key    string
	ctx    context.Context
	cancel context.CancelFunc

	body io.ReadCloser // nil while not connected
	etag string
	size int64
	want string // CRC32C in base64, or ""
	off  int64
	crc  uint32
	done error
}

// connect opens the object at r.off, anew or for the first time.
func (r *reader) connect() error {
	var opts minio.GetObjectOptions
	opts.Set("X-Amz-Checksum-Mode", "ENABLED")
	if r.etag != "" {
		if err := opts.SetMatchETag(r.etag); err != nil {
			return err
		}
	}
	if r.off > 0 {
		if err := opts.SetRange(r.off, 0); err != nil {
			return err
		}
	}
	s := r.s
	// The deadline is for the answer: the body comes under the reader's context.
	return s.retry(r.ctx, s.opts.RetryFor, s.opts.Timeout, func(attempt context.Context) error {
		ctx, cancel := context.WithCancelCause(r.ctx)
		stop := context.AfterFunc(attempt, func() { cancel(context.Cause(attempt)) })
		body, info, _, err := s.core.GetObject(ctx, s.bucket, s.name(r.key), opts)
		if !stop() && err == nil { // the deadline has passed meanwhile
			body.Close()
			err = errSlow
		}
		if err != nil {
			cancel(nil)
			return err
		}
		if info.Size < 0 { // without it nothing tells the end of the object from that of the connection
			body.Close()
			cancel(nil)
			return errors.New("the answer does not say how many bytes the object has")
		}
		if r.etag == "" {
			r.etag, r.size = info.ETag, info.Size
			if info.ChecksumMode == minio.ChecksumFullObjectMode.String() || info.ChecksumMode == "" {
				r.want = info.ChecksumCRC32C
			}
		} else if info.ETag != r.etag || info.Size != r.size-r.off {
			body.Close()
			cancel(nil)
			return &bodyError{errors.New("the object has been replaced while it was read")}
		}
		r.body = &connection{body, cancel, s.opts.Timeout}
		return nil
	})
}

func (r *reader) Read(p []byte) (int, error) {
	if r.done != nil || len(p) == 0 {
		return 0, r.done
	}
	n, err := r.read(p)
	if err != nil && err != io.EOF {
		err = storage.Wrap("get", r.key, explain(err))
	}
	r.done = err
	return n, err
}

func (r *reader) read(p []byte) (int, error) {
	started := time.Now()
	for {
		if r.ctx.Err() != nil {
			return 0, context.Cause(r.ctx)
		}
		if r.body == nil {
			r.s.retries.Add(1) // Get has connected once
			if err := r.connect(); err != nil {
				return 0, err
			}
		}
		n, err := r.body.Read(p)
		r.off += int64(n)
		r.crc = crc32.Update(r.crc, castagnoli, p[:n])
		switch {
		case r.off > r.size:
			return n, fmt.Errorf("the answer has more bytes than the %d of the object", r.size)
		case err == io.EOF && r.off == r.size:
			if r.want != "" && r.want != encode(r.crc) {
				return n, fmt.Errorf("%w: wrong CRC32C", storage.ErrCorrupt)
			}
			return n, io.EOF
		case err == nil:
			return n, nil
		}
		r.body.Close()
		r.body = nil
		if n > 0 {
			return n, nil
		}
		if time.Since(started) > r.s.opts.RetryFor {
			if err == io.EOF { // a reader takes that for the end of the object
				err = io.ErrUnexpectedEOF
			}
			return 0, fmt.Errorf("the connection ended after %d bytes of %d: %w", r.off, r.size, err)
		}
	}
}

// Close ends the connection.
func (r *reader) Close() error {
	r.cancel()
	if r.body != nil {
		r.body.Close()
		r.body = nil
	}
	if r.done == nil {
		r.done = errors.New("read after close")
	}
	return nil
}

// A connection is a response's body. A read that stalls ends it.
type connection struct {
	io.ReadCloser
	cancel  context.CancelCauseFunc
	timeout time.Duration
}

func (c *connection) Read(p []byte) (int, error) {
	stalled := time.AfterFunc(c.timeout, func() { c.cancel(errSlow) })
	defer stalled.Stop()
	return c.ReadCloser.Read(p)
}

func (c *connection) Close() error {
	err := c.ReadCloser.Close()
	c.cancel(nil)
	return err
}

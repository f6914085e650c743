package minio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/topksweep/sweep/storage"
)

// ErrReplaced is returned by ReadRange for an object that has another ETag by now.
var ErrReplaced = errors.New("the object has been replaced")

// A Tagged is an object of any name under the store's prefix, with its ETag.
type Tagged struct {
	Name string
	Size int64
	ETag string
}

// ListTagged lists the objects whose names begin with prefix, in the order of the server. Names need not be keys.
func (s *Store) ListTagged(ctx context.Context, prefix string) (all []Tagged, err error) {
	after := ""
	for more := true; more; {
		var page []minio.ObjectInfo
		err := s.retry(ctx, s.opts.RetryFor, s.opts.Timeout, func(ctx context.Context) (err error) {
			page, err = s.page(ctx, s.prefix+prefix, after)
			return err
		})
		if err != nil {
			return nil, storage.Wrap("list", prefix, explain(err))
		}
		for _, o := range page {
			all = append(all, Tagged{strings.TrimPrefix(o.Key, s.prefix), o.Size, strings.Trim(o.ETag, `"`)})
			after = o.Key
		}
		more = len(page) == pageSize
	}
	return all, nil
}

// ReadRange fills p from byte off of an object on. The error wraps ErrReplaced if the object has another ETag by now.
func (s *Store) ReadRange(ctx context.Context, name, etag string, p []byte, off int64) error {
	if len(p) == 0 {
		return nil
	}
	var opts minio.GetObjectOptions
	if err := errors.Join(opts.SetMatchETag(etag), opts.SetRange(off, off+int64(len(p))-1)); err != nil {
		return storage.Wrap("get", name, err)
	}
	err := s.retry(ctx, s.opts.RetryFor, s.deadline(int64(len(p))), func(ctx context.Context) error {
		body, info, _, err := s.core.GetObject(ctx, s.bucket, s.prefix+name, opts)
		if err != nil {
			return err
		}
		defer body.Close()
		if got := strings.Trim(info.ETag, `"`); got != etag {
			return &bodyError{fmt.Errorf("%w: its ETag is %s, and was %s", ErrReplaced, got, etag)}
		}
		if info.Size != int64(len(p)) { // a server that knows no ranges answers with the whole object
			return &bodyError{fmt.Errorf("the answer has %d bytes, and %d were asked for", info.Size, len(p))}
		}
		if n, err := io.ReadFull(body, p); err != nil {
			return fmt.Errorf("the connection ended after %d bytes of %d: %w", n, len(p), err)
		}
		return nil
	})
	var response minio.ErrorResponse
	if errors.As(err, &response) && response.StatusCode == http.StatusPreconditionFailed {
		err = fmt.Errorf("%w: it has another ETag than %s", ErrReplaced, etag)
	}
	return storage.Wrap("get", name, explain(err))
}

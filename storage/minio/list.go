package minio

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/topksweep/sweep/storage"
)

// List lists the objects under the prefix, page by page.
func (s *Store) List(ctx context.Context, prefix string) ([]storage.Object, error) {
	if err := storage.CheckPrefix(prefix); err != nil {
		return nil, storage.Wrap("list", prefix, err)
	}
	var (
		objects []storage.Object
		after   string
	)
	asked := s.prefix + prefix
	if last := asked[strings.LastIndexByte(asked, '/')+1:]; last == "." || last == ".." {
		asked = strings.TrimSuffix(asked, last) // with these MinIO refuses to look for "a/..b"
	}
	for more := true; more; {
		var page []minio.ObjectInfo
		err := s.retry(ctx, s.opts.RetryFor, s.opts.Timeout, func(ctx context.Context) (err error) {
			page, err = s.page(ctx, asked, after)
			return err
		})
		if err != nil {
			return nil, storage.Wrap("list", prefix, explain(err))
		}
		for _, o := range page {
			key := strings.TrimPrefix(o.Key, s.prefix)
			// An object whose name is no key is of another program, or marks a folder.
			if strings.HasPrefix(key, prefix) && storage.CheckKey(key) == nil {
				objects = append(objects, storage.Object{Key: key, Size: o.Size, Modified: o.LastModified})
			}
			after = o.Key
		}
		more = len(page) == pageSize
	}
	slices.SortFunc(objects, func(a, b storage.Object) int { return cmp.Compare(a.Key, b.Key) })
	return objects, nil
}

// pageSize is the largest number of objects that a server lists at once.
const pageSize = 1000

func (s *Store) page(ctx context.Context, prefix, after string) (page []minio.ObjectInfo, err error) {
	for o := range s.core.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{
		Prefix: prefix, Recursive: true, StartAfter: after, MaxKeys: pageSize,
	}) {
		if o.Err != nil {
			return nil, o.Err
		}
		if page = append(page, o); len(page) == pageSize {
			break
		}
	}
	return page, ctx.Err()
}

// Delete removes an object. In a bucket that keeps versions, the old ones stay.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := checkCall(ctx, key); err != nil {
		return storage.Wrap("delete", key, err)
	}
	err := s.retry(ctx, s.opts.RetryFor, s.opts.Timeout, func(ctx context.Context) error {
		return s.core.RemoveObject(ctx, s.bucket, s.name(key), minio.RemoveObjectOptions{})
	})
	return storage.Wrap("delete", key, explain(err))
}

// Clean removes the parts of uploads that were begun before a time and never
// completed: writers that were killed leave them behind. It returns the number of
// uploads; with dry it only counts them. MinIO lists only uploads that began since
// it was started, and removes the others itself after a day.
func (s *Store) Clean(ctx context.Context, prefixes []string, before time.Time, dry bool) (int, error) {
	ours := func(name string) bool {
		key, inside := strings.CutPrefix(name, s.prefix)
		return inside && slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
	}
	removed := 0
	var key, id string
	for more := true; more; {
		var page minio.ListMultipartUploadsResult
		// MinIO takes a prefix for an object's whole name here.
		err := s.retry(ctx, s.opts.RetryFor, s.opts.Timeout, func(ctx context.Context) (err error) {
			page, err = s.core.ListMultipartUploads(ctx, s.bucket, "", key, id, "", pageSize)
			return err
		})
		if err != nil {
			return removed, storage.Wrap("list uploads", s.prefix, explain(err))
		}
		for _, u := range page.Uploads {
			if !ours(u.Key) || !u.Initiated.Before(before) {
				continue
			}
			if dry {
				removed++
				continue
			}
			err := s.retry(ctx, s.opts.RetryFor, s.opts.Timeout, func(ctx context.Context) error {
				return s.core.AbortMultipartUpload(ctx, s.bucket, u.Key, u.UploadID)
			})
			if err != nil && code(err) != minio.NoSuchUpload {
				return removed, storage.Wrap("abort upload", u.Key, explain(err))
			}
			removed++
		}
		more = page.IsTruncated && (page.NextKeyMarker != key || page.NextUploadIDMarker != id)
		key, id = page.NextKeyMarker, page.NextUploadIDMarker
	}
	return removed, nil
}

package minio

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/topksweep/sweep/storage"
)

// maxParts is the largest number of parts that S3 takes.
const maxParts = 10_000

// putParts writes an object as a multipart upload. Nobody sees it before it is
// completed; if it cannot be, its parts are removed.
func (s *Store) putParts(ctx context.Context, key string, b *body) error {
	partSize := max(s.opts.PartSize, (b.size+maxParts-1)/maxParts)
	checksum := minio.PutObjectOptions{UserMetadata: map[string]string{
		"X-Amz-Checksum-Algorithm": "CRC32C", "X-Amz-Checksum-Type": "FULL_OBJECT",
	}}
	var id string
	err := s.retry(ctx, s.opts.RetryFor, s.opts.Timeout, func(ctx context.Context) (err error) {
		id, err = s.core.NewMultipartUpload(ctx, s.bucket, s.name(key), checksum)
		return err
	})
	if err != nil {
		return err
	}
	parts, err := s.sendParts(ctx, key, id, b, partSize)
	if err == nil {
		err = s.complete(ctx, key, id, b, parts)
	}
	if err != nil {
		// This must work when ctx has ended, too. If it fails, Clean finds the parts.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opts.Timeout)
		defer cancel()
		if e := s.core.AbortMultipartUpload(ctx, s.bucket, s.name(key), id); e != nil && code(e) != minio.NoSuchUpload {
			err = errors.Join(err, storage.Wrap("abort upload", key, e))
		}
	}
	return err
}

// sendParts uploads the parts, some at a time. The first one that fails ends the
// others.
func (s *Store) sendParts(ctx context.Context, key, id string, b *body, partSize int64) ([]minio.ObjectPart, error) {
	parts := make([]minio.ObjectPart, (b.size+partSize-1)/partSize)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(s.opts.Parallel, len(parts)) {
		wg.Go(func() {
			for i := range next {
				off := int64(i) * partSize
				part, err := s.sendPart(ctx, key, id, i+1, b, off, min(partSize, b.size-off))
				if err != nil {
					cancel(err)
				}
				parts[i] = part
			}
		})
	}
feed:
	for i := range parts {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return parts, nil
}

// sendPart uploads n bytes of the body from off on as the part of that number.
func (s *Store) sendPart(
	ctx context.Context, key, id string, number int, b *body, off, n int64,
) (minio.ObjectPart, error) {
	sum, err := b.sum(ctx, off, n)
	if err != nil {
		return minio.ObjectPart{}, err
	}
	var part minio.ObjectPart
	err = s.retry(ctx, s.opts.RetryFor, s.deadline(n), func(ctx context.Context) (err error) {
		part, err = s.core.PutObjectPart(ctx, s.bucket, s.name(key), id, number, io.NewSectionReader(b, off, n), n,
			minio.PutObjectPartOptions{CustomHeader: http.Header{crcHeader: {sum}}})
		return err
	})
	part.ChecksumCRC32C = sum // the server need not return it
	return part, err
}

// complete makes the parts one object, whose CRC32C follows from theirs.
func (s *Store) complete(ctx context.Context, key, id string, b *body, parts []minio.ObjectPart) error {
	whole, err := minio.ChecksumCRC32C.FullObjectChecksum(parts)
	if err != nil {
		return err
	}
	complete := make([]minio.CompletePart, len(parts))
	for i, p := range parts {
		complete[i] = minio.CompletePart{PartNumber: p.PartNumber, ETag: p.ETag, ChecksumCRC32C: p.ChecksumCRC32C}
	}
	opts := minio.PutObjectOptions{UserMetadata: map[string]string{
		crcHeader: whole.Encoded(), "X-Amz-Checksum-Type": "FULL_OBJECT",
	}}
	// A server may take minutes to put a large object together.
	return s.retry(ctx, s.opts.RetryFor, s.opts.Timeout+5*time.Minute, func(ctx context.Context) error {
		_, err := s.core.CompleteMultipartUpload(ctx, s.bucket, s.name(key), id, complete, opts)
		if code(err) == minio.NoSuchUpload && s.holds(ctx, key, b.size, whole.Encoded()) {
			return nil // an earlier try completed it, and its answer got lost
		}
		return err
	})
}

// holds reports whether the object under key has this size and checksum.
func (s *Store) holds(ctx context.Context, key string, size int64, sum string) bool {
	info, err := s.core.StatObject(ctx, s.bucket, s.name(key), minio.StatObjectOptions{Checksum: true})
	return err == nil && info.Size == size && info.ChecksumCRC32C == sum
}

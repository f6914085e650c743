// Package minio keeps objects in a bucket of MinIO, Amazon S3 or any server that
// speaks S3 with conditional writes: the store of a sweep on many machines.
//
// Small objects are single PUTs; large ones are multipart uploads of several
// parts at a time, straight from the caller's memory. Every request carries the
// CRC32C of its body, computed before it is sent, which the server verifies and
// keeps; reads are held against it. Requests are repeated within bounds, each
// with a deadline, and a read that breaks off goes on where it stopped.
//
// The package may touch the network and the bucket's prefix that it was opened
// on, and the places where credentials are found.
package minio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/topksweep/sweep/storage"
)

// A Store keeps objects under a prefix of a bucket.
type Store struct {
	core   minio.Core
	bucket string
	prefix string // "" or "some/folder/"
	opts   Options

	retries atomic.Int64
}

var _ interface {
	storage.Store
	storage.NewPutter
	storage.Cleaner
	storage.Retrier
} = (*Store)(nil)

var (
	// ErrLocation is returned for a location that does not say where a store is.
	ErrLocation = errors.New("bad location")
	// ErrNoBucket is returned by Open for a bucket that does not exist.
	ErrNoBucket = errors.New("no such bucket")
)

// Open returns the store at location, which reads s3://bucket/prefix, and checks
// that the bucket is there. Settings in the location's query
// (s3://bucket/prefix?endpoint=http://127.0.0.1:9000&region=eu&addressing=path)
// override those in opts.
func Open(ctx context.Context, location string, opts Options) (*Store, error) {
	bucket, prefix, opts, err := parse(location, opts)
	if err != nil {
		return nil, storage.Wrap("open", redact(location), storage.Mark(err, ErrLocation))
	}
	s, err := open(ctx, bucket, prefix, opts)
	return s, storage.Wrap("open", "s3://"+bucket+"/"+prefix, err)
}

func open(ctx context.Context, bucket, prefix string, opts Options) (*Store, error) {
	endpoint, err := url.Parse(opts.Endpoint)
	if err != nil {
		return nil, err
	}
	secure := endpoint.Scheme == "https"
	transport := opts.Transport
	if transport == nil {
		usual, err := minio.DefaultTransport(secure)
		if err != nil {
			return nil, err
		}
		usual.ResponseHeaderTimeout = 0 // retry sets the deadlines
		transport = usual
	}
	client, err := minio.New(endpoint.Host, &minio.Options{
		Creds:        opts.Credentials,
		Secure:       secure,
		Transport:    transport,
		Region:       opts.Region,
		BucketLookup: lookups[opts.Addressing],
		// This package repeats requests itself, each with a deadline and a reader of
		// its own. The client would reuse one reader, from which the request before
		// may still be sending. Trailing checksums stay off: the client does not
		// repeat a part that has one, and computes it wrongly in a repeated PUT.
		MaxRetries: 1,
	})
	if err != nil {
		return nil, err
	}
	client.SetAppInfo("topksweep", "1")
	s := &Store{core: minio.Core{Client: client}, bucket: bucket, opts: opts}
	if prefix != "" {
		s.prefix = prefix + "/"
	}
	return s, s.checkBucket(ctx)
}

// checkBucket finds a wrong address, wrong credentials and a missing bucket
// before anything is trained. It gives up after a few seconds of retries.
func (s *Store) checkBucket(ctx context.Context) error {
	limit := min(s.opts.RetryFor, 5*time.Second)
	var there bool
	err := s.retry(ctx, limit, s.opts.Timeout, func(ctx context.Context) (err error) {
		there, err = s.core.BucketExists(ctx, s.bucket)
		return err
	})
	if err == nil && !there {
		if !s.opts.CreateBucket {
			return storage.Mark(fmt.Errorf("bucket %s does not exist at %s", s.bucket, s.opts.Endpoint), ErrNoBucket)
		}
		err = s.retry(ctx, limit, s.opts.Timeout, func(ctx context.Context) error {
			err := s.core.MakeBucket(ctx, s.bucket, minio.MakeBucketOptions{Region: s.opts.Region})
			if code(err) == "BucketAlreadyOwnedByYou" { // by another worker, a moment ago
				return nil
			}
			return err
		})
	}
	if err != nil && denied(err) && anonymous(s.opts.Credentials) {
		err = fmt.Errorf("%w (no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)", err)
	}
	return explain(err)
}

func anonymous(c *credentials.Credentials) bool {
	v, err := c.GetWithContext(&credentials.CredContext{Client: metadataClient()})
	return err == nil && v.SignerType.IsAnonymous()
}

// name is the object's name in the bucket.
func (s *Store) name(key string) string { return s.prefix + key }

// checkCall checks what every operation on a key checks first.
func checkCall(ctx context.Context, key string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return storage.CheckKey(key)
}

// redact drops what may be secret from a location that does not parse.
func redact(location string) string {
	location, _, _ = strings.Cut(location, "?")
	if scheme, rest, ok := strings.Cut(location, "://"); ok {
		if i := strings.LastIndexByte(rest, '@'); i >= 0 {
			return scheme + "://…" + rest[i:]
		}
	}
	return location
}

// metadataClient asks the machine's own metadata service for credentials, which
// answers at once or is not there.
func metadataClient() *http.Client { return &http.Client{Timeout: 2 * time.Second} }

package minio

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/topksweep/sweep/storage"
)

// errSlow is the cause of a request that took longer than its deadline.
var errSlow = errors.New("the server does not answer in time")

// retry runs a request until it succeeds, fails for good, or has been repeated for
// as long as limit. Each try has the deadline. The pauses between tries grow from a
// fifth of a second to five seconds; their length is random, so that many workers
// do not come back at once.
func (s *Store) retry(
	ctx context.Context, limit, deadline time.Duration, request func(context.Context) error,
) error {
	started := time.Now()
	for pause := 200 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		attempt, cancel := context.WithTimeoutCause(ctx, deadline, errSlow)
		err := request(attempt)
		if attempt.Err() != nil && err != nil {
			err = context.Cause(attempt)
		}
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !transient(err):
			return err
		case time.Since(started)+pause > limit:
			return err
		}
		s.retries.Add(1)
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// Retries returns how many requests were repeated since the store was opened.
func (s *Store) Retries() int64 { return s.retries.Load() }

// transient reports whether an error may be gone the next time: errors of the
// network, and of a server that is overloaded or starting. A server's refusal is
// not transient.
func transient(err error) bool {
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		verify   *tls.CertificateVerificationError
		record   tls.RecordHeaderError
		response minio.ErrorResponse
		body     *bodyError
	)
	switch {
	case errors.As(err, &body), errors.As(err, &unknown), errors.As(err, &hostname), errors.As(err, &invalid),
		errors.As(err, &verify), errors.As(err, &record):
		return false
	case errors.As(err, &response):
		switch response.StatusCode {
		case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
			http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		switch response.Code {
		case "ConditionalRequestConflict", "OperationAborted": // another write at the same time
			return true
		// The body was damaged on its way.
		case "BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch", "IncompleteBody":
			return true
		}
		return false
	}
	return true
}

func code(err error) string {
	var response minio.ErrorResponse
	errors.As(err, &response)
	return response.Code
}

func denied(err error) bool {
	switch code(err) {
	case "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidTokenId":
		return true
	}
	return false
}

// explain marks the errors that callers tell apart, and names a cause that the
// server left empty.
func explain(err error) error {
	var response minio.ErrorResponse
	if !errors.As(err, &response) {
		return err
	}
	if response.Message == "" {
		err = fmt.Errorf("%w (HTTP status %d)", err, response.StatusCode)
	}
	switch {
	case response.Code == minio.NoSuchKey:
		return storage.ErrNotFound
	case response.Code == "XMinioStorageFull", response.Code == "XMinioAdminBucketQuotaExceeded",
		response.Code == "QuotaExceeded", response.StatusCode == http.StatusInsufficientStorage:
		return storage.Mark(err, storage.ErrNoSpace)
	case denied(err):
		return storage.Mark(err, fs.ErrPermission)
	}
	return err
}

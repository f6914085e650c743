package minio_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/minio"
	"github.com/topksweep/sweep/storage/minio/miniotest"
	"github.com/topksweep/sweep/storage/storagetest"
)

func options(s *miniotest.Server) minio.Options {
	return minio.Options{
		Endpoint: s.Endpoint, CreateBucket: true, RetryFor: 20 * time.Second,
		Credentials: credentials.NewStaticV4(miniotest.User, miniotest.Password, ""),
	}
}

func open(t testing.TB, location string, o minio.Options) *minio.Store {
	t.Helper()
	s, err := minio.Open(t.Context(), location, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// opener opens a store of its own for every test on one server.
func opener(server *miniotest.Server) func(*testing.T) storage.Store {
	var n atomic.Int64
	return func(t *testing.T) storage.Store {
		t.Helper()
		// Every other one at the top of its bucket, the rest deep in one.
		i := n.Add(1)
		location := fmt.Sprintf("s3://conformance-%d", i)
		if i%2 == 0 {
			location = fmt.Sprintf("s3://conformance/some/pre-fix/%d/", i)
		}
		return open(t, location, options(server))
	}
}

func TestConformance(t *testing.T) {
	storagetest.Run(t, opener(miniotest.Start(t)))
}

func TestCheckpointsUnderFaults(t *testing.T) {
	storagetest.RunCheckpoints(t, opener(miniotest.Start(t)))
}

func TestObjectsUnderReadFaults(t *testing.T) {
	storagetest.RunObjects(t, opener(miniotest.Start(t))(t))
}

func BenchmarkStore(b *testing.B) {
	storagetest.Benchmark(b, open(b, "s3://bench", options(miniotest.Start(b))))
}

//go:build unix

package data

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// BenchmarkDigest hashes 256 MiB as Open does, from the page cache, and beside it bytes in
// memory on all cores, which is the fastest that it can be. share-of-sha256 is the ratio
// of the CPU times of both, on which other work on the machine has little effect.
func BenchmarkDigest(b *testing.B) {
	for _, dim := range []int{64, 512, 4096} {
		for _, count := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d/count=%t", dim, count), func(b *testing.B) { benchmarkDigest(b, dim, count) })
		}
	}
}

func benchmarkDigest(b *testing.B, dim int, count bool) {
	raw := make([]byte, 256<<20)
	rand.NewChaCha8([32]byte{}).Read(raw)
	for i := 3; i < len(raw); i += 4 {
		raw[i] &= 0x3f // finite
	}
	path := write(b, b.TempDir(), "a.safetensors", shardBytes(b, false, f32, dim, raw))
	s := open(b, trainer.DataSpec{Source: path, Verify: "sample"}, Options{})
	var visit rowVisitor
	if count {
		r, err := s.newRepeats(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		visit = r.visit
	}
	var used [2]float64
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		start := cpuSeconds(b)
		_, err := s.shards.hash(b.Context(), false, runtime.GOMAXPROCS(0), func(int64) {}, visit)
		if err != nil {
			b.Fatal(err)
		}
		middle := cpuSeconds(b)
		b.StopTimer()
		sumAll(raw)
		used[0] += middle - start
		used[1] += cpuSeconds(b) - middle
		b.StartTimer()
	}
	b.ReportMetric(used[1]/used[0], "share-of-sha256")
}

// cpuSeconds returns the CPU time of the process.
func cpuSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// sumAll computes the SHA-256 of blocks of b, on all cores.
func sumAll(b []byte) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				from := next.Add(4<<20) - 4<<20
				if from >= int64(len(b)) {
					return
				}
				sha256.Sum256(b[from : from+4<<20])
			}
		})
	}
	wg.Wait()
}

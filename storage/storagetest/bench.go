package storagetest

import (
	"bytes"
	"io"
	"math"
	"testing"

	"github.com/topksweep/sweep/storage"
)

const benchSize = 256 << 20 // a training state of 512×5,460 latents

// Benchmark measures how fast a store is with objects as large as training
// states. Nothing else may use the store meanwhile.
func Benchmark(b *testing.B, s storage.Store) {
	b.Run("put", func(b *testing.B) { benchmarkPut(b, s) })
	b.Run("get", func(b *testing.B) { benchmarkGet(b, s) })
	b.Run("save", func(b *testing.B) { benchmarkSave(b, s) })
	b.Run("restore", func(b *testing.B) { benchmarkRestore(b, s) })
}

// benchmarkPut measures a store's Put.
func benchmarkPut(b *testing.B, s storage.Store) {
	body := noise(1, benchSize)
	b.SetBytes(benchSize)
	for b.Loop() {
		if err := storage.PutBytes(b.Context(), s, "bench/put", body); err != nil {
			b.Fatal(err)
		}
	}
}

// benchmarkGet measures a store's Get, without a look at the bytes.
func benchmarkGet(b *testing.B, s storage.Store) {
	if err := storage.PutBytes(b.Context(), s, "bench/get", noise(1, benchSize)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(benchSize)
	for b.Loop() {
		r, err := s.Get(b.Context(), "bench/get")
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); err != nil || n != benchSize {
			b.Fatal(n, err)
		}
		r.Close()
	}
}

// benchmarkSave measures a whole checkpoint: hash, Put, read back, manifest,
// prune.
func benchmarkSave(b *testing.B, s storage.Store) {
	body := noise(1, benchSize)
	c, claim := benchClaim(b, s)
	b.SetBytes(benchSize)
	for step := int64(2); b.Loop(); step++ {
		save(b, claim, step, body)
		if _, err := c.Prune(b.Context(), 1); err != nil {
			b.Fatal(err)
		}
	}
}

// benchmarkRestore measures a restore that does nothing with the state.
func benchmarkRestore(b *testing.B, s storage.Store) {
	c, claim := benchClaim(b, s)
	save(b, claim, 1, noise(1, benchSize))
	b.SetBytes(benchSize)
	for b.Loop() {
		if _, err := c.RestoreAtMost(b.Context(), math.MaxInt64, ignore); err != nil {
			b.Fatal(err)
		}
	}
}

func ignore(*storage.Manifest, io.Reader) error { return nil }

func benchClaim(b *testing.B, s storage.Store) (*storage.Checkpoints, *storage.Claim) {
	c, err := storage.NewCheckpoints(s, "bench", nil)
	if err != nil {
		b.Fatal(err)
	}
	claim, err := c.Claim(b.Context(), storage.Holder{})
	if err != nil {
		b.Fatal(err)
	}
	return c, claim
}

func save(b *testing.B, claim *storage.Claim, step int64, body []byte) {
	cp := storage.Checkpoint{Step: step, Format: "bench", Body: bytes.NewReader(body), Size: int64(len(body))}
	if _, err := claim.Save(b.Context(), cp); err != nil {
		b.Fatal(err)
	}
}

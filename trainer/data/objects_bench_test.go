package data

import (
	"fmt"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data/chunks"
)

// BenchmarkObjects compares batches of objects that are in the cache with those of files.
func BenchmarkObjects(b *testing.B) {
	const rows, dim, batch = 1 << 16, 512, 1024
	dir := b.TempDir()
	all := &bucket{of: map[string][]byte{}}
	for i := range 4 {
		name := fmt.Sprintf("%d.npy", i)
		all.of[name] = npyOf(b, i, rows/4, dim)
		write(b, dir, name, all.of[name])
	}
	cache := b.TempDir()
	for _, shuffle := range []string{"full", "blocks"} {
		for name, source := range map[string]string{"files": dir, "objects": "s3://acts"} {
			b.Run(shuffle+"/"+name, func(b *testing.B) {
				s := open(b, trainer.DataSpec{Source: source, Shuffle: shuffle, EvalTokens: 1000},
					Options{Objects: all, Chunks: chunks.New(cache, 1<<40)})
				x := make([]float32, batch*dim)
				for step := range int64(rows / batch) {
					if err := s.Batch(1, step, x); err != nil {
						b.Fatal(err)
					}
				}
				b.SetBytes(4 * batch * dim)
				b.ResetTimer()
				for i := range b.N {
					if err := s.Batch(1, int64(i), x); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

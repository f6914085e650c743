package data

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data/chunks"
)

// BenchmarkObjects compares batches of objects that are in the cache with those of files. It reads them in turns, so
// that what else the machine does slows both down alike, and reports the median of what files take, as a share of what
// objects take.
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
		b.Run(shuffle, func(b *testing.B) {
			var sets []*Set
			x := make([]float32, batch*dim)
			read := func(s *Set, step int64) time.Duration {
				began := time.Now()
				if err := s.Batch(1, step, x); err != nil {
					b.Fatal(err)
				}
				return time.Since(began)
			}
			for _, source := range []string{dir, "s3://acts"} {
				s := open(b, trainer.DataSpec{Source: source, Shuffle: shuffle, EvalTokens: 1000},
					Options{Objects: all, Chunks: chunks.New(cache, 1<<40)})
				sets = append(sets, s)
				for step := range int64(rows / batch) {
					read(s, step)
				}
			}
			var ratios []float64
			b.SetBytes(2 * 4 * batch * dim)
			for step := int64(0); b.Loop(); step++ {
				// A step of one is not that of the other: no row is in the processor's cache already.
				files, objects := read(sets[0], step), read(sets[1], step+rows/batch/2)
				ratios = append(ratios, float64(files)/float64(objects))
			}
			slices.Sort(ratios)
			b.ReportMetric(100*ratios[len(ratios)/2], "%-of-files")
		})
	}
}

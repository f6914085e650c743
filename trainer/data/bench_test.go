package data

import (
	"fmt"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/safetensors"
)

// BenchmarkBatch reads batches of 1,024 rows of 512 numbers from about 64 MiB.
func BenchmarkBatch(b *testing.B) {
	const rows, dim, batch = 1 << 15, 512, 1024
	for _, dt := range []dtype{f32, f16, bf16} {
		b.Run(string(dt), func(b *testing.B) {
			t := []safetensors.Tensor{{Name: "x", DType: string(dt), Shape: []int64{rows, dim}}}
			head := tensorFileOf(b, t, nil)
			path := write(b, b.TempDir(), "a.safetensors", append(head, make([]byte, t[0].End)...))
			s := open(b, trainer.DataSpec{Source: path}, Options{})
			x := make([]float32, batch*dim)
			b.SetBytes(4 * batch * dim)
			for step := int64(0); b.Loop(); step++ {
				if err := s.Batch(1, step, x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCopy copies as many numbers as BenchmarkBatch that lie one after the other: a
// batch cannot be read faster.
func BenchmarkCopy(b *testing.B) {
	src, dst := make([]float32, 1<<24), make([]float32, 1024*512)
	b.SetBytes(int64(4 * len(dst)))
	for i := 0; b.Loop(); i++ {
		copy(dst, src[i%32*len(dst):])
	}
}

func BenchmarkSynthetic(b *testing.B) {
	for _, dim := range []int{64, 512} {
		b.Run(fmt.Sprint(dim), func(b *testing.B) {
			s := open(b, trainer.DataSpec{Synthetic: &trainer.Synthetic{
				ActivationDim: dim, Directions: 4 * dim, Tokens: 1e6, Active: 4, Zipf: 1, Noise: 0.05,
			}}, Options{})
			x := make([]float32, 1024*dim)
			b.SetBytes(int64(4 * len(x)))
			for step := int64(0); b.Loop(); step++ {
				if err := s.Batch(1, step, x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPerm(b *testing.B) {
	p := newPerm(1_000_003, 1, streamEpoch, 0)
	for i := int64(0); b.Loop(); i++ {
		p.at(i % 1_000_003)
	}
}

package cpu

import (
	"fmt"
	"testing"
)

func BenchmarkDots(b *testing.B) {
	k := kernelsOf("avx512")
	for _, rows := range []int{8, 64, 256, 512, 1024, 2048, 8192} {
		base := noise(make([]float32, rows*512), 1)
		v := noise(make([]float32, 512), 2)
		ids := make([]int32, 8)
		out := make([]float32, 8)
		acc := make([]float32, 512)
		b.Run(fmt.Sprintf("dots/rows=%d", rows), func(b *testing.B) {
			at := 0
			for b.Loop() {
				for i := range ids {
					ids[i] = int32(at)
					at = (at + 7) % rows
				}
				k.dots(out, v, base, ids)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/8, "ns/row")
		})
		b.Run(fmt.Sprintf("combine/rows=%d", rows), func(b *testing.B) {
			at := 0
			for b.Loop() {
				for i := range ids {
					ids[i] = int32(at)
					at = (at + 7) % rows
				}
				k.combine(acc, acc, out, base, ids)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/8, "ns/row")
		})
	}
}

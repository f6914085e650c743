//go:build cuda

package cuda_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/backendtest"
)

// TestTransfers copies states to the GPU and back that take several halves of the pinned memory: rows that are padded
// there and rows that are not, of which each goroutine copies some.
func TestTransfers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	b := open(t)
	for _, shape := range []struct{ d, f int }{
		{301, 3 * (8 << 20) / (4 * 304)}, // ends in the third half
		{256, 2 * (8 << 20) / (4 * 256)}, // fills two
		{16383, 129},                     // few rows
	} {
		t.Run(fmt.Sprint(shape), func(t *testing.T) {
			c := config("corrected")
			c.ActivationDim, c.DictSize, c.BatchSize = shape.d, shape.f, 2
			s := trainer.NewState(c)
			for i, p := range []*trainer.Params{&s.W, &s.M, &s.V} {
				p.Each(c.ActivationDim, c.DictSize, func(name string, _ []int, v []float32) {
					for j := range v {
						v[j] = float32(j%(1<<22)) + float32(i)/4
					}
				})
			}
			for f := range s.SinceFired {
				s.SinceFired[f] = int64(f) << 20
			}
			backendtest.SameState(t, c, saved(t, newModel(t, b, c, s, nil), c), s)
		})
	}
}

package cpu

import (
	"fmt"
	"os"
	"time"

	"github.com/topksweep/sweep/trainer"
)

// MeasureRoofline implements trainer.Backend. The best of several short trials
// counts, so that other work on the machine does not lower it.
func (b backend) MeasureRoofline() (*trainer.Roofline, error) {
	k, err := kernelsFor(os.Getenv(PathVariable))
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	threads := b.crew()
	r := &trainer.Roofline{Path: k.name, Threads: threads}
	const chunk = 1 << 15
	x := make([]float32, 1024*chunk) // 128 MiB, past any cache
	const trials = 12
	for range trials {
		r.GFLOPS = max(r.GFLOPS, productRate(k.gemm, 1, threads))
		r.Product = max(r.Product, productRate(k.product, k.perWord, threads))
		s := seconds(func() {
			crew(threads).do(threads, func(_, i int) {
				from, to := span(i, threads, len(x)/chunk)
				for ; from < to; from++ {
					k.scale(x[from*chunk:(from+1)*chunk], 0.5)
				}
			})
		})
		r.GBs = max(r.GBs, 8*float64(len(x))/s/1e9)
	}
	return r, nil
}

// productRate returns the billions of multiplications and additions in a second.
func productRate(product func(a, w []float32, out *[mr][nr]float32), perWord, threads int) float64 {
	const words, calls = 128, 2000
	s := seconds(func() {
		crew(threads).do(threads, func(int, int) {
			var out [mr][nr]float32
			a, w := make([]float32, mr*words), make([]float32, nr*words)
			for range calls {
				product(a, w, &out)
			}
		})
	})
	return float64(threads) * calls * 2 * mr * nr * words * float64(perWord) / s / 1e9
}

func seconds(run func()) float64 {
	start := time.Now()
	run()
	return time.Since(start).Seconds()
}

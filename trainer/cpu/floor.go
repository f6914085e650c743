package cpu

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/topksweep/sweep/trainer"
)

// A Floor is what this machine could do at best: the rates of a path's products
// on operands that stay in the L1 cache, and the bandwidth of memory read and
// written in place.
type Floor struct {
	Path    string  `json:"path"` // instruction path
	Threads int     `json:"threads"`
	GFLOPS  float64 `json:"gflops"`        // of a float32 GEMM
	Screen  float64 `json:"screen_gflops"` // of the product that the step makes: the same where that is float32
	GBs     float64 `json:"gb_per_second"`
}

// MeasureFloor measures for about half a second; threads 0 is GOMAXPROCS. The
// best of several short trials counts, so that other work on the machine does
// not lower it.
func MeasureFloor(threads int) (Floor, error) {
	k, err := kernelsFor(os.Getenv(PathVariable))
	if err != nil {
		return Floor{}, fmt.Errorf("cpu: %w", err)
	}
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	f := Floor{Path: k.name, Threads: threads}
	const chunk = 1 << 15
	x := make([]float32, 1024*chunk) // 128 MiB, past any cache
	const trials = 12
	for range trials {
		f.GFLOPS = max(f.GFLOPS, productRate(k.gemm, 1, threads))
		f.Screen = max(f.Screen, productRate(k.product, k.perWord, threads))
		s := seconds(func() {
			crew(threads).do(threads, func(_, i int) {
				from, to := span(i, threads, len(x)/chunk)
				for ; from < to; from++ {
					k.scale(x[from*chunk:(from+1)*chunk], 0.5)
				}
			})
		})
		f.GBs = max(f.GBs, 8*float64(len(x))/s/1e9)
	}
	return f, nil
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

// Step returns the seconds that a step with a float32 product cannot go below:
// the one dense product, 2·B·D·F operations, at the rate of a GEMM, and weights
// and moments once read and once written at memory's bandwidth.
func (f Floor) Step(c trainer.Config) float64 { return f.step(c, f.GFLOPS) }

// Screened returns the same with the product at the rate that screening has.
func (f Floor) Screened(c trainer.Config) float64 { return f.step(c, f.Screen) }

func (f Floor) step(c trainer.Config, gflops float64) float64 {
	flops := 2 * float64(c.BatchSize) * float64(c.ActivationDim) * float64(c.DictSize)
	bytes := 2 * 3 * 4 * float64(c.Params())
	return flops/gflops/1e9 + bytes/f.GBs/1e9
}

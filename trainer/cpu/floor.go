package cpu

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/topksweep/sweep/trainer"
)

// A Floor is what this machine could do at best: the rate of the encoder's
// kernel on operands that stay in the L1 cache, and the bandwidth of memory read
// and written in place. No step can be faster than what follows from them.
type Floor struct {
	Path    string  `json:"path"` // instruction path
	Threads int     `json:"threads"`
	GFLOPS  float64 `json:"gflops"`
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
	const d, calls, trials = 128, 2000, 12
	for range trials {
		s := seconds(func() {
			crew(threads).do(threads, func(int, int) {
				var bias [nr]float32
				var above [mr]float32
				var out [mr][nr]float32
				var hit [mr]uint32
				a, w := make([]float32, mr*d), make([]float32, nr*d)
				for range calls {
					k.tile(a, w, &bias, &above, &out, &hit)
				}
			})
		})
		f.GFLOPS = max(f.GFLOPS, float64(threads)*calls*2*mr*nr*d/s/1e9)
	}
	const chunk = 1 << 15
	x := make([]float32, 1024*chunk) // 128 MiB, past any cache
	for range trials {
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

func seconds(run func()) float64 {
	start := time.Now()
	run()
	return time.Since(start).Seconds()
}

// Step returns the seconds that a step cannot go below: the one dense product,
// 2·B·D·F operations, at the kernel's rate, and weights and moments once read
// and once written at memory's bandwidth.
func (f Floor) Step(c trainer.Config) float64 {
	flops := 2 * float64(c.BatchSize) * float64(c.ActivationDim) * float64(c.DictSize)
	bytes := 2 * 3 * 4 * float64(c.Params())
	return flops/f.GFLOPS/1e9 + bytes/f.GBs/1e9
}

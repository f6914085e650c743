package cpu

import (
	"sync"
	"sync/atomic"
)

// crew runs tasks on a number of goroutines.
type crew int

// do runs task 0 … n-1, each once, in any order and on any worker; worker is in
// [0, crew). A task writes only what is its own, so that the order never shows.
func (c crew) do(n int, run func(worker, task int)) {
	if n <= 1 || c <= 1 {
		for i := range n {
			run(0, i)
		}
		return
	}
	var next atomic.Int64
	work := func(worker int) {
		for {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			run(worker, i)
		}
	}
	var wg sync.WaitGroup
	for w := 1; w < min(int(c), n); w++ {
		wg.Go(func() { work(w) })
	}
	work(0)
	wg.Wait()
}

// span returns part i of n things cut into parts of nearly equal size.
func span(i, parts, n int) (from, to int) {
	return i * n / parts, (i + 1) * n / parts
}

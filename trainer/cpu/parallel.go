package cpu

import (
	"sync"
	"sync/atomic"
)

// workers is a number of goroutines to run tasks on.
type workers int

// do runs tasks 0 … n−1, each once, in any order. worker, in [0, w), says which
// goroutine a task runs on. A task must write only to what belongs to it, so that the
// results do not depend on the order.
func (w workers) do(n int, run func(worker, task int)) {
	if n <= 1 || w <= 1 {
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
	for worker := 1; worker < min(int(w), n); worker++ {
		wg.Go(func() { work(worker) })
	}
	work(0)
	wg.Wait()
}

// span returns the range of part i when [0, n) is cut into parts ranges of nearly equal
// length.
func span(i, parts, n int) (from, to int) {
	return i * n / parts, (i + 1) * n / parts
}

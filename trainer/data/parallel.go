package data

import (
	"context"
	"sync"
	"sync/atomic"
)

// inOrder splits [0, n) into chunks and calls do for each, from several goroutines. Then
// it calls each for every result, in the order of the chunks and from one goroutine, so
// that what each computes does not depend on the number of workers. When the context
// ends, inOrder stops early and returns its error; each has then had the results that
// were computed.
func inOrder[T any](ctx context.Context, workers int, n, chunk int64, do func(from, to int64) T, each func(T)) error {
	out := make([]T, (n+chunk-1)/chunk)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(int64(workers), int64(len(out))) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := next.Add(1) - 1
				if i >= int64(len(out)) {
					return
				}
				out[i] = do(i*chunk, min(n, (i+1)*chunk))
			}
		})
	}
	wg.Wait()
	for _, r := range out[:min(next.Load(), int64(len(out)))] {
		each(r)
	}
	return ctx.Err()
}

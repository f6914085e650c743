package activities

import (
	"context"
	"sync"
)

// storeCalls is how many objects of a store one activity writes at a time. Each takes the time of a disk, or of a way
// to a server and back.
const storeCalls = 16

// forEach calls do for 0 to n-1, storeCalls of them at a time, and returns the first error. After an error it calls do
// for no more, and the contexts of the others are canceled.
func forEach(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		next  int
		first error
	)
	take := func() (i int, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if next == n || first != nil {
			return 0, false
		}
		next++
		return next - 1, true
	}
	for range min(n, storeCalls) {
		wg.Go(func() {
			for i, ok := take(); ok; i, ok = take() {
				err := ctx.Err()
				if err == nil {
					err = do(ctx, i)
				}
				if err != nil {
					mu.Lock()
					if first == nil {
						first = err
					}
					mu.Unlock()
					cancel()
				}
			}
		})
	}
	wg.Wait()
	return first
}

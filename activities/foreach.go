package activities

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// storeCalls is how many objects of a store one activity writes at a time. Each takes the time of a disk, or of a way
// to a server and back.
const storeCalls = 16

// forEach calls do for 0 to n-1, storeCalls of them at a time, and returns the first error. After an error it calls do
// for no more, and the contexts of the others are canceled.
func forEach(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(storeCalls)
	for i := range n {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return do(ctx, i)
		})
	}
	return g.Wait()
}

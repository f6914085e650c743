package activities

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// Each number is done once, many at a time, and nothing is started after an error, which is the one returned.
func TestForEach(t *testing.T) {
	for _, n := range []int{0, 1, storeCalls, 10 * storeCalls} {
		done := make([]atomic.Int32, n)
		if err := forEach(t.Context(), n, func(_ context.Context, i int) error {
			done[i].Add(1)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for i := range done {
			if got := done[i].Load(); got != 1 {
				t.Errorf("of %d: %d was done %d times", n, i, got)
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("why")
		var calls atomic.Int32
		fail, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			ended <- forEach(t.Context(), 1000, func(ctx context.Context, _ int) error {
				if calls.Add(1) == 1 {
					<-fail
					return why
				}
				<-ctx.Done()
				return ctx.Err()
			})
		}()
		synctest.Wait() // until as many as can be have begun
		if calls.Load() != storeCalls {
			t.Errorf("%d calls at a time", calls.Load())
		}
		close(fail)
		if err := <-ended; !errors.Is(err, why) || calls.Load() != storeCalls {
			t.Errorf("%d calls, %v", calls.Load(), err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := forEach(ctx, 3, func(context.Context, int) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("of a context that has ended: %v", err)
	}
}

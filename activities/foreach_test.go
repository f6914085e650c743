package activities

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
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
	why := errors.New("why")
	var calls atomic.Int32
	err := forEach(t.Context(), 1000, func(ctx context.Context, _ int) error {
		if calls.Add(1) == storeCalls {
			return why // when as many as can be have begun
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.Is(err, why) || calls.Load() != storeCalls {
		t.Errorf("%d calls, %v", calls.Load(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := forEach(ctx, 3, func(context.Context, int) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("of a context that has ended: %v", err)
	}
}

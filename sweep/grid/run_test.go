package grid

import "testing"

// A plan of an earlier version may have a larger max_concurrent than a sweep can have: it comes to the largest.
func TestConcurrent(t *testing.T) {
	for _, c := range []struct{ max, slots, want int }{
		{0, 0, AutoConcurrent}, {0, 3, 3}, {0, 100_000, 200}, {7, 3, 7}, {200, 0, 200}, {201, 0, 200}, {100_000, 3, 200},
	} {
		if got := (RunOptions{MaxConcurrent: c.max}).Concurrent(c.slots); got != c.want {
			t.Errorf("max_concurrent %d with %d slots: %d, want %d", c.max, c.slots, got, c.want)
		}
	}
}

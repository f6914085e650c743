package sweepbench

import (
	"slices"
	"testing"
	"time"
)

// On two slots four models have two gaps: the first models of the slots come after none. The slot that was left first
// gets the next model, whatever the order in which uses were noted, and a model that begins before a slot is free has
// waited for nothing.
func TestGaps(t *testing.T) {
	uses := [][2]int64{{25, 40}, {0, 10}, {5, 20}, {12, 30}, {29, 50}}
	want := []time.Duration{2 * time.Microsecond, 5 * time.Microsecond, 0}
	if got := gaps(uses, 2); !slices.Equal(got, want) {
		t.Errorf("gaps %v, want %v", got, want)
	}
	if got := gaps(uses, 5); len(got) != 0 {
		t.Errorf("gaps %v of slots that have one model each", got)
	}
}

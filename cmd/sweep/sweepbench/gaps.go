package sweepbench

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// gaps returns the times in which a slot of a process was without work while there was some: from the last call of a
// model to the first call of the next one on that slot, in training or evaluation. Slots are alike, and the one that
// has been without work for longest gets the next model. What comes before the first model of a slot is no gap, nor is
// what comes after its last one.
func gaps(uses [][2]int64, slots int) []time.Duration {
	uses = slices.Clone(uses)
	slices.SortFunc(uses, func(a, b [2]int64) int { return cmp.Compare(a[0], b[0]) })
	var free ends
	var out []time.Duration
	for _, u := range uses {
		if len(free) >= slots {
			left := heap.Pop(&free).(int64)
			out = append(out, time.Duration(max(0, u[0]-left))*time.Microsecond)
		}
		heap.Push(&free, u[1])
	}
	return out
}

// ends is a heap of the times at which slots get free.
type ends []int64

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i] < e[j] }
func (e ends) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *ends) Push(x any)        { *e = append(*e, x.(int64)) }
func (e *ends) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// quantile returns the value that a share q of the sorted durations do not exceed; 0 for none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

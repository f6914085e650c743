package plan

import (
	"cmp"
	"container/heap"
	"slices"
)

// unshared lays the cells out as trees of one cell each.
func unshared(all []forecast) []forecast {
	var out []forecast
	for _, f := range all {
		for _, c := range f.Cells {
			g := f
			g.Family, g.Cells = c.ID, []TreeCell{c}
			out = append(out, g)
		}
	}
	slices.SortStableFunc(out, func(a, b forecast) int { return cmp.Compare(b.longest(), a.longest()) })
	return out
}

// makespan returns how many seconds the trees take with so many slots. It
// simulates the workflow: it starts stages by the same Frontier, and time moves on
// to the moment at which the next of them ends.
func makespan(trees []forecast, slots int) float64 {
	var f Frontier
	var training endings
	now, next := 0.0, 0
	for {
		for len(training) < slots {
			if next < len(trees) && f.ShouldStart(trees[next].Tree, slots) {
				f.Start(next, trees[next].Tree, trees[next].Cells)
				next++
				continue
			}
			r, ok := f.Next()
			if !ok {
				break
			}
			t := &trees[r.Tree]
			reached := t.reaches(r.Stage)
			heap.Push(&training, ending{now + float64(reached-r.Stage.From)*t.perStep, r, reached})
		}
		if len(training) == 0 {
			return now
		}
		e := heap.Pop(&training).(ending)
		now = e.at
		f.StageEnded(e.ReadyStage, e.reached)
		if e.Stage.CompletesRuns(e.reached) {
			f.CellsDone(e.Tree, len(e.Stage.Cells))
		}
	}
}

// An ending is the end of a stage in training.
type ending struct {
	at float64 // seconds
	ReadyStage
	reached int // step
}

// endings is a heap with the first one on top.
type endings []ending

func (e endings) Len() int           { return len(e) }
func (e endings) Less(i, j int) bool { return e[i].at < e[j].at }
func (e endings) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *endings) Push(x any)        { *e = append(*e, x.(ending)) }

func (e *endings) Pop() any {
	last := len(*e) - 1
	first := (*e)[last] // container/heap has moved it there
	*e = (*e)[:last]
	return first
}

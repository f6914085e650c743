package plan

import (
	"cmp"
	"container/heap"
	"slices"
)

// alone lays the cells out as trees of one cell.
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

// makespan returns how many seconds the trees take with so many slots: it runs
// the Frontier that the workflow runs.
func makespan(trees []forecast, slots int) float64 {
	var q Frontier
	var busy running
	now, next := 0.0, 0
	for {
		for len(busy) < slots {
			if next < len(trees) && q.ShouldStart(trees[next].Tree, slots) {
				q.Start(next, trees[next].Tree, trees[next].Cells)
				next++
				continue
			}
			it, ok := q.Next()
			if !ok {
				break
			}
			f := &trees[it.Tree]
			reached := f.reaches(it.Stage)
			heap.Push(&busy, ending{now + float64(reached-it.Stage.From)*f.perStep, it, reached})
		}
		if len(busy) == 0 {
			return now
		}
		e := heap.Pop(&busy).(ending)
		now = e.at
		q.StageEnded(e.ReadyStage, e.reached)
		if e.Stage.CompletesRuns(e.reached) {
			q.CellsDone(e.Tree, len(e.Stage.Cells))
		}
	}
}

// An ending is a stage in training.
type ending struct {
	at float64
	ReadyStage
	reached int
}

// running is a heap, what ends first on top.
type running []ending

func (r running) Len() int           { return len(r) }
func (r running) Less(i, j int) bool { return r[i].at < r[j].at }
func (r running) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *running) Push(x any)        { *r = append(*r, x.(ending)) }

func (r *running) Pop() any {
	last := len(*r) - 1
	e := (*r)[last]
	*r = (*r)[:last]
	return e
}

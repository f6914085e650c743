package sweep

import (
	"cmp"
	"container/heap"
	"math"
	"slices"

	"github.com/topksweep/sweep/trainer"
)

// A forecast is a tree with a guess at what its training will show.
type forecast struct {
	Tree
	dead    int     // the first step in which a latent is dead
	perStep float64 // seconds
}

// firstDead returns the earliest step of a run in which a latent can be dead:
// the tokens since it fired are at most those trained on.
func firstDead(c trainer.Config) int {
	r, err := trainer.RecipeByName(c.Recipe)
	if err != nil {
		return 0
	}
	step := max(c.DeadFeatureThreshold/int64(c.BatchSize)-1, 0)
	if step > math.MaxInt32 { // beyond every run, and tokens beyond it may not fit an int64
		return math.MaxInt32
	}
	for !r.Dead((step+1)*int64(c.BatchSize), c.DeadFeatureThreshold) {
		step++ // once at most
	}
	return int(step)
}

// reaches returns the step at which a stage ends.
func (f *forecast) reaches(s Stage) int {
	if s.Level.UntilDead() {
		return max(s.From, min(s.To, f.dead))
	}
	return s.To
}

// walk visits the stages that train at least one step, with the step at which
// each ends.
func (f *forecast) walk(visit func(s Stage, reached int)) {
	for left := Roots(f.Cells); len(left) > 0; {
		s := left[len(left)-1]
		reached := f.reaches(s)
		if reached > s.From {
			visit(s, reached)
		}
		left = append(left[:len(left)-1], s.Next(reached)...)
	}
}

// alone lays the cells out as trees of one cell.
func alone(all []forecast) []forecast {
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
			if next < len(trees) && q.Begins(trees[next].Tree, slots) {
				q.Add(next, trees[next].Tree, trees[next].Cells)
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
		q.Reached(e.Item, e.reached)
		if e.Stage.Ends(e.reached) {
			q.Settled(e.Tree, len(e.Stage.Cells))
		}
	}
}

// An ending is a stage in training.
type ending struct {
	at float64
	Item
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

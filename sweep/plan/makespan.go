package plan

import (
	"cmp"
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

// makespan returns how many seconds the trees take with so many slots.
func makespan(trees []forecast, slots int) float64 {
	cost := func(tree int) Cost { return trees[tree].cost }
	sim := simulation{trees: trees, slots: slots, now: Standing{Cost: cost}}
	for i := range trees {
		sim.fresh = append(sim.fresh, i)
	}
	return sim.run()
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

package plan

import (
	"cmp"
	"container/heap"
)

// A Frontier says which stage is to begin next: of those whose state is there, the
// one with the longest path to the end of a run (critical path first), so that
// nothing long is left for the end, when slots stand idle.
type Frontier struct {
	ready    readyStages
	active   map[int]*activeTree // by number
	families map[string]bool     // of active trees
	cells    int                 // in active trees
}

type activeTree struct {
	family string
	weight float64
	cells  int // not settled
}

// An Item is a stage that may begin.
type ReadyStage struct {
	Tree  int // its number
	Stage Stage
	Left  float64 // weight of the longest path
}

// maxActive bounds the cells in trees that have begun and are not done: what a
// workflow remembers of them, and the forks that a store holds for them.
const maxActive = 20_000

// Add begins a tree of which cells are to be trained.
func (f *Frontier) Start(number int, t Tree, cells []TreeCell) {
	if f.active == nil {
		f.active, f.families = map[int]*activeTree{}, map[string]bool{}
	}
	if len(cells) == 0 {
		return
	}
	f.active[number] = &activeTree{t.Family, t.Weight, len(cells)}
	f.families[t.Family] = true
	f.cells += len(cells)
	f.push(number, Roots(cells))
}

func (f *Frontier) push(number int, stages []Stage) {
	for _, s := range stages {
		heap.Push(&f.ready, ReadyStage{number, s, f.active[number].weight * float64(s.StepsLeft())})
	}
}

// Begins says whether the tree t is to begin now, with so many slots in all,
// rather than the stage that Next would return: if its path is longer, and not
// so many trees are begun that their forks would fill the store. A tree of a
// family that is being trained waits: both would train the same prefix.
func (f *Frontier) ShouldStart(t Tree, slots int) bool {
	if f.families[t.Family] {
		return false
	}
	if len(f.ready) == 0 {
		return true
	}
	return len(f.active) < 2*slots && f.cells+len(t.Cells) <= maxActive && t.longest() > f.ready[0].Left
}

// Next takes the stage that is to begin next; ok is false if none can.
func (f *Frontier) Next() (it ReadyStage, ok bool) {
	if len(f.ready) == 0 {
		return it, false
	}
	return heap.Pop(&f.ready).(ReadyStage), true
}

// Reached tells that a stage has ended at a step. What follows it may begin.
func (f *Frontier) StageEnded(it ReadyStage, step int) { f.push(it.Tree, it.Stage.Next(step)) }

// Settled tells that n cells of a tree need nothing more: they have their
// results, or have failed.
func (f *Frontier) CellsDone(number, n int) {
	f.cells -= n
	if t := f.active[number]; t != nil {
		if t.cells -= n; t.cells == 0 {
			delete(f.active, number)
			delete(f.families, t.family)
		}
	}
}

// ready is a heap, the longest path on top.
type readyStages []ReadyStage

func (r readyStages) Len() int { return len(r) }

func (r readyStages) Less(i, j int) bool {
	a, b := r[i], r[j]
	return cmp.Or(cmp.Compare(b.Left, a.Left), cmp.Compare(a.Tree, b.Tree), cmp.Compare(a.Stage.Cells[0].Cell, b.Stage.Cells[0].Cell), cmp.Compare(a.Stage.From, b.Stage.From)) < 0
}

func (r readyStages) Swap(i, j int) { r[i], r[j] = r[j], r[i] }
func (r *readyStages) Push(x any)   { *r = append(*r, x.(ReadyStage)) }

func (r *readyStages) Pop() any {
	last := len(*r) - 1
	it := (*r)[last]
	(*r)[last] = ReadyStage{}
	*r = (*r)[:last]
	return it
}

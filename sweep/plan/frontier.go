package plan

import (
	"cmp"
	"container/heap"
)

// A Frontier says which stage is to be trained next: of the stages that may start,
// the one with the longest path to the end of a run (critical path first). So
// nothing long is left for the end, when slots stand idle.
//
// A stage may start when the one before it in its tree has ended. Example with one
// slot and two trees; in tree 0 a trunk of 51 steps leads to branches that end at
// steps 100 and 200, and tree 1 is a single run of 120 steps of equal weight:
//
//	Start(0), Start(1)      may start: trunk (path of 200 steps), run (120)
//	Next                    the trunk
//	StageEnded(trunk, 51)   may start: branch to 200 (149 left), run (120), branch to 100 (49)
//	Next, Next, Next        in this order
//
// A started tree is remembered until all its cells are done, so trees start late:
// ShouldStart says when.
type Frontier struct {
	ready    readyStages
	active   map[int]*treeLeft // by number: trees that are started and not done
	families map[string]bool   // of active trees
	cells    int               // in active trees
}

// A treeLeft is what is left of an active tree.
type treeLeft struct {
	family string
	weight float64
	cells  int // not done
}

// A ReadyStage is a stage that may start.
type ReadyStage struct {
	Tree  int // its number
	Stage Stage
	Left  float64 // weight of the longest path to the end of a run
}

// maxActiveCells bounds the cells in trees that are started and not done. It
// bounds what a workflow remembers of them, and the forks that a store holds for
// them.
const maxActiveCells = 20_000

// Start adds the stages that a tree begins with. cells are those of its cells that
// are to be trained.
func (f *Frontier) Start(number int, t Tree, cells []TreeCell) {
	if f.active == nil {
		f.active, f.families = map[int]*treeLeft{}, map[string]bool{}
	}
	if len(cells) == 0 {
		return
	}
	f.active[number] = &treeLeft{t.Family, t.Weight, len(cells)}
	f.families[t.Family] = true
	f.cells += len(cells)
	f.push(number, Roots(cells))
}

func (f *Frontier) push(number int, stages []Stage) {
	for _, s := range stages {
		heap.Push(&f.ready, ReadyStage{number, s, f.active[number].weight * float64(s.StepsLeft())})
	}
}

// ShouldStart says whether tree t is to be started now, with so many slots in
// all, before the stage that Next would return is trained: its path is longer,
// and not so many trees are active that their forks would fill the store. A tree
// waits while another of its family is active: both would train the same prefix.
func (f *Frontier) ShouldStart(t Tree, slots int) bool {
	if f.families[t.Family] {
		return false
	}
	if len(f.ready) == 0 {
		return true
	}
	return len(f.active) < 2*slots && f.cells+len(t.Cells) <= maxActiveCells && t.longest() > f.ready[0].Left
}

// Next takes the stage that is to be trained next; ok is false if none may start.
func (f *Frontier) Next() (r ReadyStage, ok bool) {
	if len(f.ready) == 0 {
		return r, false
	}
	return heap.Pop(&f.ready).(ReadyStage), true
}

// StageEnded says that a stage has ended at a step. The stages after it may start.
func (f *Frontier) StageEnded(r ReadyStage, step int) { f.push(r.Tree, r.Stage.Next(step)) }

// CellsDone says that n cells of a tree have their results, or have failed.
func (f *Frontier) CellsDone(number, n int) {
	f.cells -= n
	if t := f.active[number]; t != nil {
		if t.cells -= n; t.cells == 0 {
			delete(f.active, number)
			delete(f.families, t.family)
		}
	}
}

// readyStages is a heap with the longest path on top. Ties are broken, so that the
// order does not depend on that in which stages were added.
type readyStages []ReadyStage

func (r readyStages) Len() int { return len(r) }

func (r readyStages) Less(i, j int) bool {
	a, b := r[i], r[j]
	return cmp.Or(
		cmp.Compare(b.Left, a.Left),
		cmp.Compare(a.Tree, b.Tree),
		cmp.Compare(a.Stage.Cells[0].Cell, b.Stage.Cells[0].Cell),
		cmp.Compare(a.Stage.From, b.Stage.From),
	) < 0
}

func (r readyStages) Swap(i, j int) { r[i], r[j] = r[j], r[i] }
func (r *readyStages) Push(x any)   { *r = append(*r, x.(ReadyStage)) }

func (r *readyStages) Pop() any {
	last := len(*r) - 1
	s := (*r)[last]
	(*r)[last] = ReadyStage{}
	*r = (*r)[:last]
	return s
}

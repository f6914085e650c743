package plan

import (
	"cmp"
	"container/heap"
	"slices"
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
	families map[string]int    // number of active trees by family
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
	First bool    // it goes before all stages that are not First, and so do those that follow it
	Tries int     // activities that were to train it among others, and came out without it
}

// maxActiveCells bounds the cells in trees that are started and not done. It
// bounds what a workflow remembers of them, and the forks that a store holds for
// them.
const maxActiveCells = 20_000

// Start adds the stages that a tree begins with. cells are those of its cells that
// are to be trained.
func (f *Frontier) Start(number int, t Tree, cells []TreeCell) {
	if len(cells) == 0 {
		return
	}
	f.activate(number, t, len(cells))
	f.push(number, Roots(cells), false)
}

// activate notes that n more cells of a tree are to be trained.
func (f *Frontier) activate(number int, t Tree, n int) {
	if f.active == nil {
		f.active, f.families = map[int]*treeLeft{}, map[string]int{}
	}
	if f.active[number] == nil {
		f.active[number] = &treeLeft{family: t.Family, weight: t.Weight}
		f.families[t.Family]++
	}
	f.active[number].cells += n
	f.cells += n
}

// StartFirst adds cells that are to be trained before all others. If another tree of the family is active, or this one
// is, each cell begins with a branch of its own: at the newest fork that is stored, and no two stages train in one
// checkpoint folder.
func (f *Frontier) StartFirst(number int, t Tree, cells []TreeCell) {
	stages := Roots(cells)
	if f.families[t.Family] > 0 {
		stages = nil
		for _, c := range cells {
			stages = append(stages, stageOf([]TreeCell{c}, 0, false))
		}
	}
	f.activate(number, t, len(cells))
	f.push(number, stages, true)
}

func (f *Frontier) push(number int, stages []Stage, first bool) {
	for _, s := range stages {
		f.add(ReadyStage{Tree: number, Stage: s, First: first})
	}
}

// add adds a stage of an active tree.
func (f *Frontier) add(r ReadyStage) {
	r.Left = f.active[r.Tree].weight * float64(r.Stage.StepsLeft())
	heap.Push(&f.ready, r)
}

// Return takes a stage back that Next gave and that was stopped before its end, for those of its cells that are still
// to be trained. It may start again, at the checkpoint that it has left.
func (f *Frontier) Return(r ReadyStage, cells []TreeCell) {
	if len(cells) > 0 {
		r.Stage.Cells = cells
		f.add(r)
	}
}

// Drop removes cells, ascending, of an active tree from the stages that may start. They are not to be trained any more.
func (f *Frontier) Drop(number int, cells []int) {
	if len(cells) == 0 {
		return
	}
	dropped := func(c TreeCell) bool { _, found := slices.BinarySearch(cells, c.Cell); return found }
	ready := f.ready
	f.ready = nil
	for _, r := range ready {
		if r.Tree == number {
			r.Stage.Cells = slices.DeleteFunc(slices.Clone(r.Stage.Cells), dropped)
		}
		if len(r.Stage.Cells) > 0 {
			f.add(r)
		}
	}
}

// ShouldStart says whether tree t is to be started now, with so many slots in
// all, before the stage that Next would return is trained: its path is longer,
// and not so many trees are active that their forks would fill the store. A tree
// waits while another of its family is active: both would train the same prefix.
func (f *Frontier) ShouldStart(t Tree, slots int) bool {
	if f.families[t.Family] > 0 {
		return false
	}
	if len(f.ready) == 0 {
		return true
	}
	if f.ready[0].First {
		return false
	}
	return len(f.active) < 2*slots && f.cells+len(t.Cells) <= maxActiveCells && t.longest() > f.ready[0].Left
}

// Peek returns the stage that Next would remove.
func (f *Frontier) Peek() (r ReadyStage, ok bool) {
	if len(f.ready) == 0 {
		return r, false
	}
	return f.ready[0], true
}

// Next takes the stage that is to be trained next; ok is false if none may start.
func (f *Frontier) Next() (r ReadyStage, ok bool) {
	if len(f.ready) == 0 {
		return r, false
	}
	return heap.Pop(&f.ready).(ReadyStage), true
}

// StageEnded says that a stage has ended at a step. The stages after it may start.
func (f *Frontier) StageEnded(r ReadyStage, step int) { f.push(r.Tree, r.Stage.Next(step), r.First) }

// CellsDone says that n cells of a tree have their results, or have failed.
func (f *Frontier) CellsDone(number, n int) {
	f.cells -= n
	if t := f.active[number]; t != nil {
		if t.cells -= n; t.cells == 0 {
			delete(f.active, number)
			f.Release(t.family)
		}
	}
}

// Hold lets no tree of a family start, until Release: stages of a tree that is active no more still save their state.
func (f *Frontier) Hold(family string) {
	if f.families == nil {
		f.active, f.families = map[int]*treeLeft{}, map[string]int{}
	}
	f.families[family]++
}

// Release undoes Hold.
func (f *Frontier) Release(family string) {
	if f.families[family]--; f.families[family] == 0 {
		delete(f.families, family)
	}
}

// readyStages is a heap with the longest path on top. Ties are broken, so that the
// order does not depend on that in which stages were added.
type readyStages []ReadyStage

func (r readyStages) Len() int { return len(r) }

func (r readyStages) Less(i, j int) bool {
	a, b := r[i], r[j]
	return cmp.Or(
		compareFirst(a, b),
		cmp.Compare(b.Left, a.Left),
		cmp.Compare(a.Tree, b.Tree),
		cmp.Compare(a.Stage.Cells[0].Cell, b.Stage.Cells[0].Cell),
		cmp.Compare(a.Stage.From, b.Stage.From),
	) < 0
}

// compareFirst orders stages that are First before others.
func compareFirst(a, b ReadyStage) int {
	switch {
	case a.First == b.First:
		return 0
	case a.First:
		return -1
	}
	return 1
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

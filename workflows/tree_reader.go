package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A treeReader reads the trees of a stored plan one after the other: first those of cells that are to be trained before
// all others, then those that an earlier history left unfinished, then those that no history has started. It holds one
// chunk of the plan at a time.
type treeReader struct {
	sweep      string
	ids        *activityIDs
	first      []protocol.UnfinishedTree
	unfinished []protocol.UnfinishedTree
	next       int // number of the first tree that no history has started

	chunk  int // number of the chunk in loaded
	loaded []plan.Tree
}

// hasNext reports whether there is a tree to start, in a plan of so many chunks.
func (r *treeReader) hasNext(chunks int) bool {
	_, _, _, ok := r.nextNumber(chunks)
	return ok
}

// A nextTree is what treeReader.peek returns.
type nextTree struct {
	number int
	tree   plan.Tree
	cells  []int // those that are left, where the tree was started before; else nil
	first  bool  // they are to be trained before all others
}

// peek returns the next tree without moving on. ok is false if there is none.
func (r *treeReader) peek(ctx workflow.Context, chunks int) (t nextTree, ok bool, err error) {
	for {
		number, cells, first, ok := r.nextNumber(chunks)
		if !ok {
			return t, false, nil
		}
		read, err := r.load(ctx, number/plan.ChunkSize)
		if err != nil {
			return t, false, err
		}
		if read {
			continue // while the chunk was read, an update may have put another tree before this one
		}
		if i := number % plan.ChunkSize; i < len(r.loaded) {
			return nextTree{number, r.loaded[i], cells, first}, true, nil
		}
		if cells != nil {
			return t, false, temporal.NewNonRetryableApplicationError(
				fmt.Sprintf("the stored plan of %s has no tree %d", r.sweep, number), "BadPlan", nil)
		}
		r.next = (r.chunk + 1) * plan.ChunkSize // a chunk may hold fewer trees than ChunkSize
	}
}

// nextNumber returns the number of the next tree, if its chunk holds so many, and what nextTree says of it besides.
func (r *treeReader) nextNumber(chunks int) (number int, cells []int, first, ok bool) {
	switch {
	case len(r.first) > 0:
		return r.first[0].Tree, r.first[0].Cells, true, true
	case len(r.unfinished) > 0:
		return r.unfinished[0].Tree, r.unfinished[0].Cells, false, true
	}
	return r.next, nil, false, r.next < chunks*plan.ChunkSize
}

// advance moves on to the tree after the one that peek returned.
func (r *treeReader) advance() {
	switch {
	case len(r.first) > 0:
		r.first = r.first[1:]
	case len(r.unfinished) > 0:
		r.unfinished = r.unfinished[1:]
	default:
		r.next++
	}
}

// restart goes back to the first tree. The chunk is loaded again, because cells may have got results since.
func (r *treeReader) restart() { r.next, r.loaded = 0, nil }

// load reads a chunk of the plan, if it is not the loaded one, and reports whether it read one.
func (r *treeReader) load(ctx workflow.Context, chunk int) (read bool, err error) {
	if r.loaded != nil && r.chunk == chunk {
		return false, nil
	}
	loaded, err := callPrepare(ctx, r.ids, protocol.ChunkRef{Sweep: r.sweep, Chunk: chunk})
	if err != nil {
		return false, fmt.Errorf("prepare: %w", err)
	}
	r.chunk, r.loaded = chunk, loaded
	return true, nil
}

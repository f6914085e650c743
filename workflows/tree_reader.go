package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A treeReader reads the trees of a stored plan one after the other: first those that an earlier history left
// unfinished, then those that no history has started. It holds one chunk of the plan at a time.
type treeReader struct {
	sweep      string
	unfinished []protocol.UnfinishedTree
	next       int // number of the first tree that no history has started

	chunk  int // number of the chunk in loaded
	loaded []plan.Tree
}

// hasNext reports whether there is a tree to start, in a plan of so many chunks.
func (r *treeReader) hasNext(chunks int) bool {
	return len(r.unfinished) > 0 || r.next < chunks*plan.ChunkSize
}

// A nextTree is what treeReader.peek returns.
type nextTree struct {
	number int
	tree   plan.Tree
	cells  []int // those that an earlier history left unfinished; nil if none has started the tree
}

// peek returns the next tree without moving on. ok is false if there is none.
func (r *treeReader) peek(ctx workflow.Context, chunks int) (t nextTree, ok bool, err error) {
	if len(r.unfinished) > 0 {
		u := r.unfinished[0]
		if err := r.load(ctx, u.Tree/plan.ChunkSize); err != nil {
			return t, false, err
		}
		i := u.Tree % plan.ChunkSize
		if i >= len(r.loaded) {
			return t, false, temporal.NewNonRetryableApplicationError(
				fmt.Sprintf("the stored plan of %s has no tree %d", r.sweep, u.Tree), "BadPlan", nil)
		}
		return nextTree{u.Tree, r.loaded[i], u.Cells}, true, nil
	}
	for r.next < chunks*plan.ChunkSize {
		if err := r.load(ctx, r.next/plan.ChunkSize); err != nil {
			return t, false, err
		}
		if i := r.next % plan.ChunkSize; i < len(r.loaded) {
			return nextTree{r.next, r.loaded[i], nil}, true, nil
		}
		r.next = (r.chunk + 1) * plan.ChunkSize // a chunk may hold fewer trees than ChunkSize
	}
	return t, false, nil
}

// advance moves on to the tree after the one that peek returned.
func (r *treeReader) advance() {
	if len(r.unfinished) > 0 {
		r.unfinished = r.unfinished[1:]
	} else {
		r.next++
	}
}

// restart goes back to the first tree. The chunk is loaded again, because cells may have got results since.
func (r *treeReader) restart() { r.next, r.loaded = 0, nil }

// load reads a chunk of the plan, if it is not the loaded one.
func (r *treeReader) load(ctx workflow.Context, chunk int) error {
	if r.loaded != nil && r.chunk == chunk {
		return nil
	}
	loaded, err := callPrepare(ctx, protocol.ChunkRef{Sweep: r.sweep, Chunk: chunk})
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	r.chunk, r.loaded = chunk, loaded
	return nil
}

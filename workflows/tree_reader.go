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
	reads  int // chunks that this history has read

	readsAhead bool
	ahead      *chunkAhead // the chunk that is being read, or is read, before it is asked for; nil for none
}

// A chunkAhead is a chunk of the plan that is read before it is needed, so that no slot waits for it.
type chunkAhead struct {
	chunk int
	trees []plan.Tree
	err   error
	read  bool
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
		read, err := r.load(ctx, number/plan.ChunkSize, chunks)
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

// peekLoaded is peek without reading a chunk: ok is false too where the next tree lies in another one.
func (r *treeReader) peekLoaded(chunks int) (t nextTree, ok bool) {
	number, cells, first, ok := r.nextNumber(chunks)
	if !ok || r.loaded == nil || r.chunk != number/plan.ChunkSize || number%plan.ChunkSize >= len(r.loaded) {
		return t, false
	}
	return nextTree{number, r.loaded[number%plan.ChunkSize], cells, first}, true
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
func (r *treeReader) restart() { r.next, r.loaded, r.ahead = 0, nil, nil }

// load reads a chunk of the plan, if it is not the loaded one, and reports whether it read one. Then the next one, of
// so many chunks, is read ahead.
func (r *treeReader) load(ctx workflow.Context, chunk, chunks int) (read bool, err error) {
	if r.loaded != nil && r.chunk == chunk {
		return false, nil
	}
	loaded, err := r.take(ctx, chunk)
	if err != nil {
		return false, fmt.Errorf("prepare: %w", err)
	}
	r.chunk, r.loaded = chunk, loaded
	r.reads++
	if r.readsAhead && chunk == r.next/plan.ChunkSize && chunk+1 < chunks {
		r.readAhead(ctx, chunk+1)
	}
	return true, nil
}

// take returns a chunk: the one that was read ahead, or one that it reads.
func (r *treeReader) take(ctx workflow.Context, chunk int) ([]plan.Tree, error) {
	ahead := r.ahead
	if ahead == nil || ahead.chunk != chunk {
		return callPrepare(ctx, r.ids, protocol.ChunkRef{Sweep: r.sweep, Chunk: chunk})
	}
	if err := workflow.Await(ctx, func() bool { return ahead.read }); err != nil {
		return nil, err
	}
	if r.ahead == ahead {
		r.ahead = nil
	}
	return ahead.trees, ahead.err
}

// readAhead begins to read a chunk.
func (r *treeReader) readAhead(ctx workflow.Context, chunk int) {
	if r.ahead != nil && r.ahead.chunk == chunk {
		return
	}
	ahead := &chunkAhead{chunk: chunk}
	r.ahead = ahead
	workflow.Go(ctx, func(ctx workflow.Context) {
		ahead.trees, ahead.err = callPrepare(ctx, r.ids, protocol.ChunkRef{Sweep: r.sweep, Chunk: chunk})
		ahead.read = true
	})
}

package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// trees reads the trees of a stored plan one after the other: those that a
// history before left unfinished, then those never begun.
type trees struct {
	id    string
	again []protocol.UnfinishedTree
	next  int // number of the first tree never begun

	chunk  int // of loaded
	loaded []plan.Tree
}

// left says that there are trees to begin, in a plan of so many chunks.
func (t *trees) left(chunks int) bool { return len(t.again) > 0 || t.next < chunks*plan.ChunkSize }

// peek returns the next tree; ok is false if there is none. cells are those that
// were left of it, nil if it was never begun.
func (t *trees) peek(ctx workflow.Context, chunks int) (number int, tree plan.Tree, cells []int, ok bool, err error) {
	if len(t.again) > 0 {
		a := t.again[0]
		if err := t.load(ctx, a.Tree/plan.ChunkSize); err != nil {
			return 0, tree, nil, false, err
		}
		i := a.Tree % plan.ChunkSize
		if i >= len(t.loaded) {
			return 0, tree, nil, false, temporal.NewNonRetryableApplicationError(
				fmt.Sprintf("the stored plan of %s has no tree %d", t.id, a.Tree), "BadPlan", nil)
		}
		return a.Tree, t.loaded[i], a.Cells, true, nil
	}
	for t.next < chunks*plan.ChunkSize {
		if err := t.load(ctx, t.next/plan.ChunkSize); err != nil {
			return 0, tree, nil, false, err
		}
		if i := t.next % plan.ChunkSize; i < len(t.loaded) {
			return t.next, t.loaded[i], nil, true, nil
		}
		t.next = (t.chunk + 1) * plan.ChunkSize
	}
	return 0, tree, nil, false, nil
}

// take moves on to the tree after the one that peek returned.
func (t *trees) take() {
	if len(t.again) > 0 {
		t.again = t.again[1:]
	} else {
		t.next++
	}
}

func (t *trees) load(ctx workflow.Context, chunk int) error {
	if t.loaded != nil && t.chunk == chunk {
		return nil
	}
	loaded, err := prepare(ctx, protocol.ChunkRef{Sweep: t.id, Chunk: chunk})
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	t.chunk, t.loaded = chunk, loaded
	return nil
}

// forget lets every tree be read again: what has a result may have changed.
func (t *trees) forget() { t.loaded = nil }

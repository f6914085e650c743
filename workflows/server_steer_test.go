//go:build !noserver

package workflows

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// testSteerTree: a tree is paused in its trunk, extended, and steered in all other ways. It is trained as if it had not
// been disturbed, and its history, with search attributes, replays.
func testSteerTree(t *testing.T, c client.Client) {
	f := newTreeFake(7, append(fourCellTree(), oneCellTree("g", 4, 40), oneCellTree("h", 5, 40)),
		[]plan.Tree{oneCellTree("f", 6, 40)})
	begun, failing, release := make(chan int, 100), make(chan struct{}), make(chan struct{})
	f.train = func(ctx context.Context, cell, attempt int) error {
		begun <- cell
		if cell == 4 && attempt == 1 {
			close(failing)
			return errFinal
		}
		return untilReleased(ctx, release)
	}
	f.look = func(in protocol.LookInput) (live protocol.Live, err error) {
		if in.All { // all that is in flight waits
			for _, id := range []string{"cells 0+3 (k=0) steps 0-31", "cells 0+3 (k=0) steps 0-31, no. 2"} {
				live.Stages = append(live.Stages, protocol.LiveStage{ID: id, State: plan.Waiting})
			}
		}
		return live, nil
	}
	f.startWorkers(t, c)
	in := f.input(2)
	in.TreeChunks, in.Cells, in.Attributes = 1, 6, slices.Sorted(maps.Keys(searchAttributes()))
	run := startSweep(t, c, "steer-tree", in)
	steer := func(name string, args ...any) protocol.Steered { return steerSweep(t, c, "steer-tree", name, args...) }
	<-failing
	for range 3 { // cells 0, 4 and 5
		<-begun
	}
	if did := steer(protocol.UpdatePause); did.Stopped != 2 || did.State != plan.Paused || did.Failed != 1 {
		t.Errorf("pause: %+v", did)
	}
	steer(protocol.UpdateExtend, protocol.Extension{Size: plan.Size{Cells: 7, TreeChunks: 2}, Grid: "k: [9]"})
	steer(protocol.UpdateSet, protocol.Settings{MaxConcurrent: 1})
	if did := steer(protocol.UpdateCancel, protocol.Selection{Cells: []int{5, 6}}); did.Canceled != 2 {
		t.Errorf("cancel: %+v", did)
	}
	steer(protocol.UpdateResume)
	if cell := <-begun; cell != 0 {
		t.Errorf("cell %d goes on, want 0", cell)
	}
	did := steer(protocol.UpdatePriority, protocol.PriorityHigh)
	if !strings.Contains(did.Did, "1 waiting stage moved") {
		t.Errorf("priority: %+v", did)
	}
	close(release)
	if did := steer(protocol.UpdateRetry); !slices.Equal(did.Cells, []int{4, 5, 6}) {
		t.Errorf("retry: %+v", did)
	}
	if err := run.Get(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	wantEach(t, "evaluated", f.evaluated, cellRange(0, 7), 1)
	h := histories(t, c, "steer-tree", run.GetRunID())[0]
	if err := replayer().ReplayWorkflowHistory(silent(), h); err != nil {
		t.Error(err)
	}
	recordHistory(t, "steered-updates", h)
}

// steerSweep sends an update to a sweep and returns its answer.
func steerSweep(t *testing.T, c client.Client, id, update string, args ...any) protocol.Steered {
	t.Helper()
	did, err := sendUpdate(t, c, id, update, args...)
	if err != nil {
		t.Fatalf("%s: %v", update, err)
	}
	return did
}

// searchAttributes are those of a sweep that change while it runs.
func searchAttributes() map[string]enums.IndexedValueType {
	return map[string]enums.IndexedValueType{
		protocol.AttrState:    enums.INDEXED_VALUE_TYPE_KEYWORD,
		protocol.AttrCells:    enums.INDEXED_VALUE_TYPE_INT,
		protocol.AttrDone:     enums.INDEXED_VALUE_TYPE_INT,
		protocol.AttrFailed:   enums.INDEXED_VALUE_TYPE_INT,
		protocol.AttrBestNMSE: enums.INDEXED_VALUE_TYPE_DOUBLE,
	}
}

// untilFound waits until a search finds so many histories. A server shows them a moment later.
func untilFound(t *testing.T, c client.Client, query string, want int64) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		found, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query})
		if err == nil && found.Count == want {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: found %d, %v, want %d", query, found.GetCount(), err, want)
		case <-again.C:
		}
	}
}

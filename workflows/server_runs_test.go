//go:build !noserver

package workflows

import (
	"errors"
	"strings"
	"testing"
	"time"

	historypb "go.temporal.io/api/history/v1"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A real server accepts runs in one activity, chunks that are read ahead, and an activity that fails.
func TestShortRunsOnServer(t *testing.T) {
	c := startServer(t)
	f := newFake(600)
	f.short = time.Second
	failed := false
	f.runs = func(cells []int) ([]int, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if !failed {
			failed = true
			return nil, errors.New("the worker has a bug")
		}
		if len(cells) > 20 {
			cells = cells[:20] // it took longer than forecast
		}
		return cells, nil
	}
	f.startWorkers(t, c)
	run := startSweep(t, c, "short", f.input(4))
	var got protocol.Summary
	if err := run.Get(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	got.Steps = 0
	wantSummary(t, got, protocol.Summary{Cells: 600, Completed: 600})
	wantEach(t, "evaluated", f.evaluated, cellRange(0, 600), 1)
	all := histories(t, c, "short", run.GetRunID())
	if n := len(all[0].Events); len(all) != 1 || n > 1200 {
		t.Errorf("%d histories, the first with %d events", len(all), n)
	}
	recordHistory(t, "steered-short", all[0])
}

// A sweep whose cells all have results ends within the limits of a server, here lowered to those of a sweep of some
// hundred cells.
func TestReusedCellsOnServer(t *testing.T) {
	const limit = 720_000 // bytes
	c := startServerWith(t, local.Options{HistoryLimit: limit})
	f := newFake(5000)
	f.done = func(int) bool { return true }
	f.label = strings.Repeat("dict_size=4096 ", 4)
	f.startWorkers(t, c)
	run := startSweep(t, c, "reused", f.input(4))
	first := run.GetRunID()
	var got protocol.Summary
	if err := run.Get(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	wantSummary(t, got, protocol.Summary{Cells: 5000, Completed: 5000, Reused: 5000})
	total := 0
	all := histories(t, c, "reused", first)
	for i, h := range all {
		if n := sizeOf(h); n > limit/2 {
			t.Errorf("history %d has %d bytes", i, n)
		} else {
			total += n
		}
	}
	if total < limit {
		t.Errorf("all histories have %d bytes: the limit of %d shows nothing", total, limit)
	}
	if n := 5000/plan.ChunkSize + 1; len(all) > n {
		t.Errorf("%d histories for %d chunks", len(all), n)
	}
}

// sizeOf is the size of a history, in bytes.
func sizeOf(h *historypb.History) (n int) {
	for _, e := range h.Events {
		n += e.Size()
	}
	return n
}

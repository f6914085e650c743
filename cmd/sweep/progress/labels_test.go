package progress

import (
	"errors"
	"testing"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// planOverK is a plan of two cells, k=2 and k=4, with the labels of these.
func planOverK() (*plan.Header, *Labels) {
	h := &plan.Header{Name: "demo", Axes: []string{"k"}}
	h.CellCount = 2
	return h, NewLabels(h, func(chunk int) ([]grid.Cell, error) {
		if chunk > 0 {
			return nil, errors.New("there is no such chunk")
		}
		return []grid.Cell{{Values: []string{"2"}}, {Values: []string{"4"}}}, nil
	})
}

// A line about an activity that is tried again says what it is.
func TestRetry(t *testing.T) {
	_, labels := planOverK()
	const gone = "its worker is gone"
	for _, x := range []struct {
		retry Retry
		want  string
	}{
		{Retry{protocol.ActivityTrain, 1, 2, gone}, "k=4: its worker is gone; attempt 2 goes on from the newest checkpoint"},
		{Retry{protocol.ActivityTrain, -1, 2, gone}, "a run in training: its worker is gone; attempt 2"},
		{Retry{protocol.ActivityEval, 0, 3, "put x: refused"}, "k=2: evaluating: put x: refused; attempt 3"},
		{Retry{protocol.ActivityPrepare, -1, 2, gone}, "planning: its worker is gone; attempt 2"},
		{Retry{protocol.ActivityFail, -1, 2, gone}, "noting a failure: its worker is gone; attempt 2"},
		{Retry{protocol.ActivityCollect, -1, 2, gone}, "collecting the results: its worker is gone; attempt 2"},
	} {
		if got := labels.Retry(x.retry); got != x.want {
			t.Errorf("%q, want %q", got, x.want)
		}
	}
}

func TestLabels(t *testing.T) {
	_, labels := planOverK()
	_, narrow := planOverK()
	narrow.valuesOnly = true
	for _, x := range []struct {
		got, want string
	}{
		{labels.Cell(1), "k=4"},
		{labels.Cell(2), "cell 2"},                    // more than the chunk has
		{labels.Cell(plan.ChunkSize + 7), "cell 263"}, // a chunk that cannot be read
		{labels.stage(stageKey{0, 1, 100}), "k=2"},
		{labels.stage(stageKey{0, 3, 100}), "k=2, shared by 3"},
		{narrow.stage(stageKey{0, 1, 100}), "2"},
		{narrow.stage(stageKey{0, 3, 100}), "2 ×3"},
	} {
		if x.got != x.want {
			t.Errorf("%q, want %q", x.got, x.want)
		}
	}
}

// The cells that an extension adds to a chunk get their names.
func TestLabelsOfExtended(t *testing.T) {
	cells := []grid.Cell{{Values: []string{"2"}}}
	labels := NewLabels(&plan.Header{Axes: []string{"k"}}, func(int) ([]grid.Cell, error) { return cells, nil })
	if got := labels.Cell(0); got != "k=2" {
		t.Errorf("%q", got)
	}
	cells = append(cells, grid.Cell{Values: []string{"4"}})
	if got := labels.Cell(1); got != "k=4" {
		t.Errorf("%q, want that of the cell added", got)
	}
}

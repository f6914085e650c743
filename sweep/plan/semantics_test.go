package plan

import (
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/grid"
)

// A plan of before version 2 of the training semantics says nothing of them. Its cells, trajectories and folders keep
// their names, and it takes no cells of this version.
func TestPlanOfFirstSemantics(t *testing.T) {
	now := planOf(t, gridOf("decay_start: [0.5, 0.6]", ""), Estimates{})
	old := *now
	old.Semantics = 0
	c := now.Cells[0]
	if !now.Identifies(c) || old.Identifies(c) {
		t.Error("a cell of this version is told by its ID")
	}
	c.ID = grid.CellIDAt(1, c.Config, now.Info.Fingerprint)
	if now.Identifies(c) || !old.Identifies(c) {
		t.Error("a cell of the first version is told by its ID")
	}
	for l := range LevelRun {
		if now.Trajectory(c, l) == old.Trajectory(c, l) {
			t.Errorf("trajectories of two versions have one name at level %s", l)
		}
	}
	_, err := old.Extend(planOf(t, gridOf("decay_start: [0.7]", ""), Estimates{}))
	if err == nil || !strings.Contains(err.Error(), "version 1 of the training semantics") {
		t.Errorf("extended: %v", err)
	}
}

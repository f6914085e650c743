package workflows

import (
	"fmt"
	"slices"

	"github.com/topksweep/sweep/sweep/protocol"
)

// Temporal compares the commands of a replay with the history by the IDs and types of activities alone. In histories of
// versionPlain the IDs are numbers, and elsewhere an ID does not name all that an activity depends on. So a build that
// starts activities in another order could take one's outcome for another's. The outcomes say what they are of, and
// these functions panic if that is not what was asked: then the workflow task fails, nothing is decided, and the sweep
// goes on once a worker of the build that wrote the history is back.

// A reorderedError says that a replay took the outcome of one activity for that of another.
type reorderedError struct{ asked, got any }

func (e reorderedError) Error() string {
	return fmt.Sprintf("nondeterministic workflow: the history has the outcome of %+v where this build asks for %+v: "+
		"run workers of the build that began the sweep", e.got, e.asked)
}

// checkTrained panics if an outcome is not that of the stage. Workers of earlier versions do not say of which it is,
// but some outcomes cannot be those of a stage.
func checkTrained(ref protocol.StageRef, out protocol.Trained) {
	if out.Of == nil {
		if out.Reached > ref.To || out.Reached < ref.To && !ref.Level.UntilDead() {
			panic(reorderedError{ref, fmt.Sprintf("a stage to step %d", out.Reached)})
		}
		return
	}
	// Inputs of the first versions lack From.
	if of := *out.Of; of.Sweep != ref.Sweep || of.Cell != ref.Cell || of.Level != ref.Level || of.To != ref.To ||
		of.From != 0 && of.From != ref.From {
		panic(reorderedError{ref, of})
	}
}

// checkEvaluated panics if an outcome is not that of the cell.
func checkEvaluated(ref protocol.CellRef, of *protocol.CellRef) {
	if of != nil && (of.Sweep != ref.Sweep || of.Cell != ref.Cell) {
		panic(reorderedError{ref, *of})
	}
}

// checkRan panics if an outcome is of runs that were not asked for.
func checkRan(in protocol.RunsRef, out protocol.Ran) {
	for _, r := range out.Runs {
		if !slices.Contains(in.Cells, r.Cell) {
			panic(reorderedError{in, out.Runs})
		}
	}
}

// checkNoted panics if cells were noted that were not asked for.
func checkNoted(in protocol.FailInput, noted []int) {
	for _, c := range noted {
		if !slices.Contains(in.Cells, c) {
			panic(reorderedError{in.Cells, noted})
		}
	}
}

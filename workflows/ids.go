package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
)

// activityIDs names the activities of a history. The Web UI shows the ID of an activity that is pending, and no
// summary. An ID must be the only one of its kind in a history, so that a second one has a number behind it.
type activityIDs struct {
	named bool           // else Temporal numbers the activities, as in histories of versionPlain
	plain bool           // without labels: the server is not to read the settings of cells
	used  map[string]int // how often; it is never ranged over
}

func newActivityIDs(v workflow.Version, encrypted bool) *activityIDs {
	return &activityIDs{named: v >= versionSteered, plain: encrypted, used: map[string]int{}}
}

// of returns the ID of an activity by what it does.
func (a *activityIDs) of(what string) string {
	if !a.named {
		return ""
	}
	a.used[what]++
	if n := a.used[what]; n > 1 {
		return fmt.Sprintf("%s, no. %d", what, n)
	}
	return what
}

// ofChunk returns the ID of the activity that reads a chunk of the plan.
func (a *activityIDs) ofChunk(chunk int) string { return a.of(fmt.Sprintf("prepare chunk %d", chunk)) }

// ofStage returns the ID of the training of a stage, which names its first cell and its span.
func (a *activityIDs) ofStage(s plan.Stage) string {
	cell := fmt.Sprintf("cell %d", s.Cells[0].Cell)
	if n := len(s.Cells); n > 1 {
		cell = fmt.Sprintf("cells %d+%d", s.Cells[0].Cell, n-1)
	}
	return a.of(fmt.Sprintf("%s%s steps %d-%d", cell, a.labelled(s.Cells[0].Label), s.From, s.To))
}

// ofRuns returns the ID of the training of several runs, of which others follow the first.
func (a *activityIDs) ofRuns(first plan.TreeCell, others int) string {
	id := fmt.Sprintf("cell %d%s", first.Cell, a.labelled(first.Label))
	if others > 0 {
		id += fmt.Sprintf(" and %d more", others)
	}
	return a.of(id)
}

// ofEvaluation returns the ID of the evaluation of a cell.
func (a *activityIDs) ofEvaluation(c plan.TreeCell) string {
	return a.of(fmt.Sprintf("evaluate cell %d%s", c.Cell, a.labelled(c.Label)))
}

// labelled returns a label for an ID, or nothing if IDs have none.
func (a *activityIDs) labelled(label string) string {
	if a.plain {
		return ""
	}
	return inBrackets(label)
}

// maxIDLabel bounds the part of an ID that is a label, in bytes.
const maxIDLabel = 100

// inBrackets returns a label for an ID. An ID stands in addresses of the Web UI, so that only plain characters stay.
func inBrackets(label string) string {
	if label == "" {
		return ""
	}
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(" =.,:+-_", r):
			return r
		}
		return '_'
	}, label)
	if len(plain) > maxIDLabel {
		plain = plain[:maxIDLabel-3] + "..."
	}
	return " (" + plain + ")"
}

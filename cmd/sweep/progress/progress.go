// Package progress shows a person how a sweep goes while it runs: as bars on a
// terminal, as plain lines in a log or a pipe. It draws the snapshots that it is
// given. It asks no server and reads no store by itself.
package progress

import (
	"fmt"
	"io"
	"strings"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A Snapshot is where a sweep stands at one moment.
type Snapshot struct {
	Progress protocol.Progress
	Training []protocol.Heartbeat // of the stages in training, by cell
	Retries  []Retry              // activities that failed and are tried again
	Forecast Forecast             // of the end
}

// A Retry is an activity that failed and is tried again.
type Retry struct {
	Activity string // its type, such as protocol.ActivityTrain
	Cell     int    // -1 if it is not known
	Attempt  int    // number of the present attempt; the first one is 1
	Cause    string // why the attempt before failed
}

// A View shows snapshots of one sweep as they come.
type View interface {
	Show(Snapshot)
	Say(line string) // a message beside the snapshots
	Close()          // leaves what was shown last
}

// A Terminal is where a view writes.
type Terminal struct {
	Out         io.Writer
	Interactive bool // a terminal on which lines can be drawn anew, not a file or a pipe
	Columns     int  // its width; Wide if it is not known
}

// Wide is the columns of a terminal on which a bar has room beside the names of
// the hyperparameters that vary.
const Wide = 120

// NewView returns bars if t is interactive, and lines otherwise.
func NewView(t Terminal, header *plan.Header, labels *Labels) View {
	var many *digest
	if header.CellCount >= ManyRuns {
		many = newDigest(labels)
	}
	if !t.Interactive {
		v := newLines(t.Out, labels)
		v.digest = many
		return v
	}
	if many != nil {
		v := newBars(t.Out, header, labels)
		v.digest = many
		return v
	}
	if t.Columns < Wide && len(header.Axes) > 0 {
		labels.valuesOnly = true
		fmt.Fprintln(t.Out, "runs by", strings.Join(header.Axes, " "))
	}
	return newBars(t.Out, header, labels)
}

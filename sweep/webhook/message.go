package webhook

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Events.
const (
	RunsFailed  = "runs_failed"  // runs of a sweep that goes on have failed for good
	SweepEnded  = "sweep_ended"  // a sweep has ended: see Sweep.State
	WorkerUnfit = "worker_unfit" // a worker takes no more work
	RunHangs    = "run_hangs"    // an attempt at a run does not end on a worker
)

// A Message says what has happened. Its JSON keys are documented in docs/operation.md, and stay.
type Message struct {
	Event string    `json:"event"`
	Time  time.Time `json:"time"`
	*Sweep
	Worker string `json:"worker,omitempty"` // of WorkerUnfit and RunHangs, as it names itself
	Reason string `json:"reason,omitempty"` // of WorkerUnfit and RunHangs
}

// A Sweep says where a sweep stands.
type Sweep struct {
	ID       string    `json:"sweep"`
	Name     string    `json:"name"`
	State    string    `json:"state"` // training, completed, failed or canceled
	Cells    int       `json:"cells"`
	Done     int       `json:"done"` // with a result
	Failed   int       `json:"failed"`
	Canceled int       `json:"canceled"`
	Best     *Best     `json:"best,omitempty"`     // the run with the least nmse; nil if none is known
	Failures []Failure `json:"failures,omitempty"` // at most MaxFailures
}

// MaxFailures bounds the failures that a message names.
const MaxFailures = 10

// Best is the run with the least nmse.
type Best struct {
	Cell  string  `json:"cell"` // ID
	Label string  `json:"label"`
	NMSE  float64 `json:"nmse"`
}

// A Failure is a run that has failed for good.
type Failure struct {
	Cell  string `json:"cell"` // ID
	Label string `json:"label"`
	Error string `json:"error"` // one line
}

// Bounds of the text in bytes. Discord takes 2,000 characters.
const (
	maxText   = 1900
	maxReason = 300
	shown     = 5 // failures
)

// MarshalJSON adds what chats show: text for Slack and Mattermost, and content for Discord, which is told that no name
// in it calls anybody.
func (m Message) MarshalJSON() ([]byte, error) {
	type plain Message
	text := m.text()
	return json.Marshal(struct {
		plain
		Text     string   `json:"text"`
		Content  string   `json:"content"`
		Mentions mentions `json:"allowed_mentions"`
	}{plain(m), text, text, mentions{Parse: []string{}}})
}

type mentions struct {
	Parse []string `json:"parse"`
}

// text is the message for people, in one or a few lines.
func (m Message) text() string {
	var text string
	switch {
	case m.Sweep != nil:
		text = m.Sweep.text(m.Event)
	case m.Event == RunHangs:
		text = fmt.Sprintf("A run hangs on worker %s: %s", m.Worker, cut(m.Reason, maxReason))
	default:
		text = fmt.Sprintf("Worker %s: %s", m.Worker, cut(m.Reason, maxReason))
	}
	return cut(calm(text), maxText)
}

func (s *Sweep) text(event string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Sweep %s ", s.ID)
	if event == SweepEnded {
		fmt.Fprintf(&b, "%s: ", s.State)
	} else {
		b.WriteString("goes on, and runs fail: ")
	}
	fmt.Fprintf(&b, "%d of %d runs done, %d failed", s.Done, s.Cells, s.Failed)
	if s.Canceled > 0 {
		fmt.Fprintf(&b, ", %d canceled", s.Canceled)
	}
	if left := s.Cells - s.Done - s.Failed - s.Canceled; left > 0 && event == SweepEnded {
		fmt.Fprintf(&b, ", %d not trained", left)
	}
	b.WriteString(".")
	if s.Best != nil {
		fmt.Fprintf(&b, " Best: %s, nmse %.4g.", cut(s.Best.Label, maxReason), s.Best.NMSE)
	}
	for _, f := range s.Failures[:min(len(s.Failures), shown)] {
		fmt.Fprintf(&b, "\n%s failed: %s", cut(f.Label, maxReason), cut(f.Error, maxReason))
	}
	if more := s.Failed - shown; more > 0 && len(s.Failures) >= shown {
		fmt.Fprintf(&b, "\nand %d more", more)
	}
	return b.String()
}

// calls are the @ that may call people in a chat: all but those within a word, as in 4711@gpu-7. To Mattermost words
// end at an underscore, too.
var calls = regexp.MustCompile(`(^|[^A-Za-z0-9])@+`)

// calm replaces what calls people in a chat, as <!channel> and @all do: names of sweeps and errors may hold anything.
func calm(text string) string {
	text = strings.NewReplacer("<", "‹", ">", "›").Replace(text)
	return calls.ReplaceAllStringFunc(text, func(s string) string { return strings.ReplaceAll(s, "@", "＠") })
}

// cut shortens a text to a number of bytes.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const dots = "…"
	text = text[:most-len(dots)]
	for len(text) > 0 && !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text + dots
}

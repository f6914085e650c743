package progress

import (
	"fmt"
	"math"
	"time"

	"github.com/topksweep/sweep/sweep/plan"
)

// ManyRuns is the number of runs from which on a sweep is shown by its counts: no run has a line or a bar of its own,
// but for the first that are tried again.
const ManyRuns = 200

const (
	digestInterval = 30 * time.Second // between two lines, unless digestShare of the runs end before
	digestShare    = 20               // the part of the runs, 1/20, behind which a line comes
	namedRetries   = 20               // how many retries are named, and how many failures
)

// A digest is what is told of a sweep with many runs.
type digest struct {
	labels   *Labels
	reported map[Retry]bool
	failed   map[int]bool // cells whose failure was told
	before   Snapshot     // that the rates are counted from
	since    time.Time    // when before was; zero for never
	rates    string       // since then, as last counted
}

func newDigest(labels *Labels) *digest {
	return &digest{labels: labels, reported: map[Retry]bool{}, failed: map[int]bool{}}
}

// ended counts the runs that have ended.
func ended(s Snapshot) int { return s.Progress.Completed + s.Progress.Failed + s.Progress.Canceled }

// troubles says what is tried again or has failed and was not told yet: the first namedRetries of each by name.
func (d *digest) troubles(s Snapshot, say func(string)) {
	for _, f := range s.Progress.Failures {
		if f.Status == plan.Failed && !d.failed[f.Cell] && len(d.failed) < namedRetries {
			d.failed[f.Cell] = true
			say(fmt.Sprintf("failed   %s: %s", d.labels.Cell(f.Cell), f.Error))
		}
	}
	for _, r := range s.Retries {
		if d.reported[r] || len(d.reported) > namedRetries {
			continue
		}
		d.reported[r] = true
		if len(d.reported) > namedRetries {
			say("more runs are tried again: they are not named any more")
			continue
		}
		say("retrying " + d.labels.Retry(r))
	}
}

// due reports whether a line is due: after an interval, after a part of the runs, and when the last one has ended.
func (d *digest) due(s Snapshot, now time.Time) bool {
	more := ended(s) - ended(d.before)
	switch {
	case d.since.IsZero():
		return true
	case s.Progress.Cells > 0 && ended(s) == s.Progress.Cells:
		return more > 0
	}
	return now.Sub(d.since) >= digestInterval || more > 0 && more*digestShare >= s.Progress.Cells
}

// count begins to count the rates anew.
func (d *digest) count(s Snapshot, now time.Time) {
	if seconds := now.Sub(d.since).Seconds(); !d.since.IsZero() && seconds > 0 {
		d.rates = ""
		if n := ended(s) - ended(d.before); n > 0 {
			d.rates += fmt.Sprintf(", %s runs/s", threeDigits(float64(n)/seconds))
		}
		if n := s.Progress.Steps - d.before.Progress.Steps; n > 0 {
			d.rates += fmt.Sprintf(", %s steps/s", threeDigits(float64(n)/seconds))
		}
	}
	d.before, d.since = s, now
}

// best names the least nmse of the runs that have ended, behind a comma; "" where none is known.
func best(s Snapshot) string {
	least := math.Inf(1)
	for _, c := range s.Progress.Seen {
		if nmse := c.Brief.NMSE; nmse != nil && *nmse < least {
			least = *nmse
		}
	}
	if math.IsInf(least, 1) {
		return ""
	}
	return fmt.Sprintf(", best nmse %.4g", least)
}

// counts says how many runs have ended, and how.
func counts(s Snapshot) string {
	p := s.Progress
	line := fmt.Sprintf("%d of %d runs done", p.Completed, p.Cells)
	if p.Reused > 0 {
		line += fmt.Sprintf(", %d of them reused", p.Reused)
	}
	if p.Failed > 0 {
		line += fmt.Sprintf(", %d failed", p.Failed)
	}
	return line
}

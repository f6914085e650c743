package progress

import "time"

// A Forecast says when a sweep will be done. The zero Forecast says nothing.
type Forecast struct {
	At        time.Time     // when it was made; zero for none
	Left      time.Duration // from then on
	Finishing bool          // all is trained: what is left are evaluations and tables
}

// staleAfter is how long a forecast holds: a sweep that was not seen for longer may stand still.
const staleAfter = 15 * time.Second

// Text says at a moment how long a sweep still takes: "about 3:30", "finishing", or "" where that is not known.
func (f Forecast) Text(now time.Time) string {
	since := now.Sub(f.At)
	switch {
	case f.At.IsZero() || since > staleAfter:
		return ""
	case f.Finishing:
		return "finishing"
	}
	return "about " + Clock(roundUp(f.Left-max(0, since)))
}

// eta is the end of a bar's line.
func (f Forecast) eta(now time.Time) string { return f.phrase(now, "  ETA ", "", "  ") }

// left is the end of a line that counts runs.
func (f Forecast) left(now time.Time) string { return f.phrase(now, ", ", " left", ", ") }

// phrase is Text between two words, or, for a sweep that only finishes, behind a gap; "" where there is no text.
func (f Forecast) phrase(now time.Time, before, after, gap string) string {
	text := f.Text(now)
	switch {
	case text == "":
		return ""
	case f.Finishing:
		return gap + text
	}
	return before + text + after
}

// roundUp rounds a duration up to what can be known of it.
func roundUp(d time.Duration) time.Duration {
	unit := 5 * time.Second
	switch {
	case d > time.Hour:
		unit = time.Minute
	case d > 10*time.Minute:
		unit = 30 * time.Second
	case d > time.Minute:
		unit = 10 * time.Second
	}
	return max(unit, (d+unit-1)/unit*unit)
}

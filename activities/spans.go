package activities

import (
	"encoding/json"
	"math"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
)

// metaSpans is the key in a manifest's metadata for the spans of steps up to the checkpoint, a JSON list of
// ledger.Span: which part of the training was done for how many runs, on what, and in which time.
const metaSpans = "spans"

// maxSpans bounds the list. It is short unless a run moves between devices very often.
const maxSpans = 200

// maxSpansText bounds in bytes the text of a list that is read. One that is longer is damaged: a full list has about
// 80 KiB. Written again it is at most seven times as long, for what JSON escapes twice, and a manifest has room for it.
const maxSpansText = 96 << 10

// spansOf returns the spans up to a checkpoint. A checkpoint of an earlier version does not state them, and a stated
// list may be damaged: then they are one span, of which only the steps and the seconds are known. It is no error, since
// the spans are figures for people.
func spansOf(m *storage.Manifest) []ledger.Span {
	if m.Step < 1 {
		return nil
	}
	if spans, ok := parseSpans(m.Meta[metaSpans], m.Step); ok {
		return spans
	}
	return []ledger.Span{{To: m.Step, Seconds: secondsOf(m)}}
}

// parseSpans reads spans that cover the steps from 0 to a step, in order and without gaps.
func parseSpans(text string, to int64) (spans []ledger.Span, ok bool) {
	if len(text) > maxSpansText {
		return nil, false
	}
	if err := json.Unmarshal([]byte(text), &spans); err != nil {
		return nil, false
	}
	at := int64(0)
	for _, s := range spans {
		if s.From != at || s.To <= s.From || s.Cells < 0 || !isDuration(s.Seconds) {
			return nil, false
		}
		at = s.To
	}
	return spans, at == to && len(spans) <= maxSpans
}

// isDuration reports whether v can be a number of seconds.
func isDuration(v float64) bool { return v >= 0 && v <= math.MaxFloat64 }

// appendSpan returns spans with another one behind them. It is merged with the last one if both were trained for as
// many runs, on the same, by the same build.
func appendSpan(spans []ledger.Span, s ledger.Span) []ledger.Span {
	out := append([]ledger.Span(nil), spans...)
	if s.To <= s.From {
		return out
	}
	if last := len(out) - 1; last >= 0 && sameWork(out[last], s) {
		out[last].To = s.To
		out[last].Seconds = toMilliseconds(out[last].Seconds + s.Seconds)
		return out
	}
	if out = append(out, s); len(out) > maxSpans {
		out = mergeFirst(out)
	}
	return out
}

// sameWork reports whether two spans differ in their steps and seconds alone.
func sameWork(a, b ledger.Span) bool {
	a.From, a.To, a.Seconds = b.From, b.To, b.Seconds
	return a == b
}

// mergeFirst merges two spans of a list that is too long: the first pair that was trained for as many runs, or else the
// first two. The last span stays, since a run goes on on its class. What the two do not have in common is not known of
// the merged one, but for their classes, which it lists.
func mergeFirst(spans []ledger.Span) []ledger.Span {
	at := 0
	for i := range spans[2:] {
		if spans[i].Cells == spans[i+1].Cells {
			at = i
			break
		}
	}
	a, b := spans[at], spans[at+1]
	if a.Cells != b.Cells {
		a.Cells = 0
	}
	common := func(a, b string) string {
		if a == b {
			return a
		}
		return ""
	}
	a.Class = ledger.JoinClasses(a.Class, b.Class)
	a.Device, a.Build = common(a.Device, b.Device), common(a.Build, b.Build)
	a.To, a.Seconds = b.To, toMilliseconds(a.Seconds+b.Seconds)
	return append(append(spans[:at:at], a), spans[at+2:]...)
}

// spans returns the spans up to a step that the attempt has come to.
func (k *checkpointer) spans(step int64, now time.Time) []ledger.Span {
	s := k.attempt
	s.To, s.Seconds = step, toMilliseconds(k.since(now))
	return appendSpan(k.before, s)
}

// toMilliseconds rounds a time in seconds. Two times may add up to more than a float64 holds; then it is the largest.
func toMilliseconds(seconds float64) float64 {
	if rounded := math.Round(seconds*1000) / 1000; rounded <= math.MaxFloat64 {
		return rounded
	}
	return min(seconds, math.MaxFloat64)
}

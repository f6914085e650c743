package observe

import (
	"strconv"
	"strings"
)

// A history holds every answer of Look, so texts in it have bounds, in bytes.
const (
	maxLabel = 100
	maxError = 200
)

// short cuts a text to a number of bytes. What is left is valid UTF-8.
func short(text string, bytes int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= bytes {
		return text
	}
	const cut = "…"
	return strings.ToValidUTF8(text[:bytes-len(cut)], "") + cut
}

// oneLine returns a message without line breaks.
func oneLine(message string) string { return strings.Join(strings.Fields(message), " ") }

// shortCause cuts the message of an error to maxError bytes. The cause is at the end of a chain of errors, so the chain
// loses links at its beginning, for which … stands. Who has refused an activity stays.
func shortCause(message string) string {
	if by, why, ok := strings.Cut(message, ": "); ok && strings.HasPrefix(by, "refused by ") && len(by) <= maxError/2 {
		return by + ": " + cutCause(why, maxError-len(by)-len(": "))
	}
	return cutCause(message, maxError)
}

// cutCause is shortCause of a message that names nobody.
func cutCause(message string, most int) string {
	cause := message
	for len(cause) > most && strings.Contains(cause, ": ") {
		_, rest, _ := strings.Cut(strings.TrimPrefix(cause, "… "), ": ")
		cause = "… " + rest
	}
	return short(cause, most)
}

// An activityID is what the ID of an activity says of its cells.
type activityID struct {
	cell  int    // the first one
	cells int    // that share the stage; 1 for one
	label string // of the first one
	from  int64  // the step at which the stage begins; 0 for an evaluation
	to    int64  // the step at which the stage ends; 0 for an evaluation
}

// parseActivityID reads the ID of an activity that trains or evaluates cells:
//
//	cell 12 (k=8 dict_size=512) steps 0-600
//	cells 12+5 (k=8 dict_size=512) steps 0-181    the cell 12 and 5 others
//	evaluate cell 12 (k=8 dict_size=512), no. 2        once more in this history
//
// A label may hold any text. The parenthesis may be missing. ok is false for IDs of another form: those of histories
// that an older version began are numbers.
func parseActivityID(id string) (a activityID, ok bool) {
	rest, evaluates := strings.CutPrefix(id, "evaluate ")
	a.cells = 1
	number, shared := "", false
	if rest, shared = strings.CutPrefix(rest, "cells "); !shared {
		if rest, ok = strings.CutPrefix(rest, "cell "); !ok {
			return activityID{}, false
		}
	}
	number, rest, _ = strings.Cut(rest, " ")
	number = strings.TrimSuffix(number, ",")
	if shared {
		var others string
		if number, others, ok = strings.Cut(number, "+"); !ok {
			return activityID{}, false
		}
		n, valid := natural(others)
		if !valid {
			return activityID{}, false
		}
		a.cells += n
	}
	if a.cell, ok = natural(number); !ok {
		return activityID{}, false
	}
	if first, last := strings.Index(rest, "("), strings.LastIndex(rest, ")"); first == 0 && last > 0 {
		a.label, rest = rest[1:last], rest[last+1:]
	}
	if span, found := strings.CutPrefix(strings.TrimSpace(rest), "steps "); found && !evaluates {
		if end := strings.IndexAny(span, " ,"); end >= 0 {
			span = span[:end]
		}
		from, to, _ := strings.Cut(span, "-")
		first, isFirst := natural(from)
		if last, isLast := natural(to); isFirst && isLast && first <= last {
			a.from, a.to = int64(first), int64(last)
		}
	}
	return a, true
}

// natural reads a number of at most nine digits.
func natural(text string) (int, bool) {
	if text == "" || len(text) > 9 || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

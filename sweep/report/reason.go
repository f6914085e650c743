package report

import (
	"strings"
	"unicode/utf8"
)

// maxReasonLength is the number of characters of an error in a table, unless its last two links are longer.
const maxReasonLength = 120

// OneLine returns an error's message without line breaks.
func OneLine(message string) string { return strings.Join(strings.Fields(message), " ") }

// Cause returns what a table shows of an error's message. The cause is at the end of a chain such as "train stage: step
// 17: the loss is NaN", or right before the end, where the last link says what to do: "and lr was 3: lower lr?". So a
// long chain loses links at its beginning, for which … stands, and the last two are whole.
func Cause(message string) string {
	message = OneLine(message)
	cause := message
	for utf8.RuneCountInString(cause) > maxReasonLength && strings.Count(cause, ": ") > 1 {
		_, rest, _ := strings.Cut(strings.TrimPrefix(cause, "… "), ": ")
		cause = "… " + rest
	}
	return cause
}

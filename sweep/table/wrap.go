package table

import (
	"strings"

	"github.com/olekukonko/tablewriter/pkg/twwidth"
)

// Width returns the columns that a text takes on a terminal: two for a Chinese character, none for an accent that
// combines with the letter before it.
func Width(s string) int { return twwidth.Width(s) }

// Wrap writes parts with two blanks between them, on as many lines as a terminal of some columns needs. first stands
// before the first line, and hang before the others. A part that is longer than a line is broken between words. A word
// that is longer than a line is not broken, so that a path or an ID can be copied: it has a line of its own, without
// hang if it is too long with it. With 0 columns there is one line.
func Wrap(columns int, first, hang string, parts ...string) string {
	var out strings.Builder
	before, line := first, ""
	fits := func(s string) bool { return columns <= 0 || Width(strings.TrimRight(s, " ")) <= columns }
	flush := func() {
		if !fits(before+line) && before == hang { // a single word
			before = ""
		}
		out.WriteString(strings.TrimRight(before+line, " ") + "\n")
		before, line = hang, ""
	}
	add := func(text, gap string) {
		if line != "" && !fits(before+line+gap+text) {
			flush()
		}
		if line != "" {
			line += gap
		}
		line += text
	}
	for _, part := range parts {
		if fits(hang + part) {
			add(part, "  ")
			continue
		}
		gap := "  "
		for _, word := range strings.Fields(part) {
			add(word, gap)
			gap = " "
		}
	}
	flush()
	return out.String()
}

// Fold breaks the lines of a text that are longer than a terminal has columns. A line goes on below its second column,
// which two blanks or more divide from the first; a sentence goes on with an indent. Columns are kept together where
// they fit, and words always. With 0 columns, as for a file, the text stays as it is.
func Fold(text string, columns int) string {
	if columns <= 0 {
		return text
	}
	var out strings.Builder
	for line := range strings.Lines(text) {
		if end := strings.TrimSuffix(line, "\n"); Width(end) > columns {
			line = foldLine(end, columns)
		}
		out.WriteString(line)
	}
	return out.String()
}

func foldLine(line string, columns int) string {
	text := strings.TrimLeft(line, " ")
	lead := line[:len(line)-len(text)]
	hang := lead + "    "
	var parts []string
	for rest := text; rest != ""; {
		part, after, more := strings.Cut(rest, "  ")
		rest = strings.TrimLeft(after, " ")
		if more && rest != "" { // blanks that align columns stay behind a part, but the two that Wrap writes
			part += strings.Repeat(" ", len(after)-len(rest))
		}
		if len(parts) == 0 && rest != "" {
			if second := lead + strings.Repeat(" ", Width(part)+2); len(second) <= columns/2 {
				hang = second
			}
		}
		parts = append(parts, part)
	}
	return Wrap(columns, lead, hang, parts...)
}

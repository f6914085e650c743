package workflows

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxGridLine is the number of characters of a line of a grid that a view shows.
const maxGridLine = 160

// grids shows the grids by which the sweep was extended, the oldest first; the newest of them, if they are many.
func (v view) grids() string {
	s := newSection(maxGrids)
	s.add("**Extended by**\n\n")
	const note = 100
	s.left -= note
	var shown []string
	for _, grid := range slices.Backward(v.extensions) {
		text, size := fence(grid, s.left)
		if text == "" {
			break
		}
		s.left -= size
		shown = append([]string{text}, shown...)
	}
	s.left += note
	if len(v.extensions) == 0 {
		return ""
	}
	if n := len(v.extensions) - len(shown); n > 0 {
		s.add(count(n) + " earlier grids are not shown.\n\n")
	}
	s.text.WriteString(strings.Join(shown, ""))
	return s.String()
}

// fence returns lines in a fence that none of them ends, and its size in bytes of JSON, which is at most bound. It cuts
// long lines, and those at the end if they do not fit. It returns "" if no line fits.
func fence(text string, bound int) (fenced string, size int) {
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n "), "\n")
	bars := 3
	for i, line := range lines {
		lines[i] = gridLine(line)
		bars = max(bars, longestRun(lines[i])+1)
	}
	begin, end := strings.Repeat("`", bars)+"yaml\n", strings.Repeat("`", bars)+"\n\n"
	const rest = "# …\n"
	s := newSection(bound - jsonSize(begin+end+rest))
	for i, line := range lines {
		if s.add(line + "\n") {
			continue
		}
		if i == 0 {
			return "", 0
		}
		end = rest + end
		break
	}
	fenced = begin + s.String() + end
	return fenced, jsonSize(fenced)
}

// gridLine returns a line of a grid without control characters, cut to maxGridLine characters. The Web UI replaces
// {namespace}, {workflowId} and {runId}, so that a space is put into these.
func gridLine(line string) string {
	line = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, line)
	line = strings.NewReplacer("{namespace}", "{ namespace}", "{workflowId}", "{ workflowId}", "{runId}", "{ runId}").
		Replace(strings.TrimRight(line, " "))
	if utf8.RuneCountInString(line) > maxGridLine {
		line = string([]rune(line)[:maxGridLine-1]) + "…"
	}
	return line
}

// longestRun returns the largest number of backticks side by side.
func longestRun(line string) int {
	longest, run := 0, 0
	for _, r := range line {
		if run++; r != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

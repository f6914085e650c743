package grid

import (
	"strings"
	"unicode/utf8"
)

// lines holds the length of each line of a file in characters, so that every
// error points into it.
type lines []int

func newLines(src []byte) lines {
	var out lines
	for line := range strings.SplitSeq(string(src), "\n") {
		out = append(out, utf8.RuneCountInString(line))
	}
	return out
}

// clamp moves a position into the file: to the end of the line or of the file
// that it lies behind.
func (l lines) clamp(p position) position {
	p.line = min(max(p.line, 1), len(l))
	p.column = min(max(p.column, 1), l[p.line-1]+1)
	return p
}

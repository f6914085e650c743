package grid

import (
	"strings"
	"unicode/utf8"
)

// A position is a line and a column of the file, both from 1. Columns count characters.
type position struct{ line, column int }

// lineLengths holds the length of each line of a file, in characters. With it every error points into the file.
type lineLengths []int

func newLineLengths(src []byte) lineLengths {
	var out lineLengths
	for line := range strings.SplitSeq(string(src), "\n") {
		out = append(out, utf8.RuneCountInString(line))
	}
	return out
}

// clamp returns p, or the nearest position in the file where p lies outside: the end of its line, or of the last line.
func (l lineLengths) clamp(p position) position {
	p.line = min(max(p.line, 1), len(l))
	p.column = min(max(p.column, 1), l[p.line-1]+1)
	return p
}

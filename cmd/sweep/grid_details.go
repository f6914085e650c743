package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/topksweep/sweep/sweep/ledger"
)

// maxDetails bounds what the Web UI shows of a sweep, in bytes of JSON: a server
// refuses a workflow with more than 20,000.
const maxDetails = 19_000

// gridDetails is what the Web UI shows of a sweep, in Markdown: its grid, and those by which
// it was extended. A grid that does not fit in is named by where it lies in the store.
func gridDetails(id string, src []byte, extensions ...ledger.Extension) string {
	const room = 500 // for the keys of grids that do not fit in
	text := fenced(src)
	if encodedSize(text) > maxDetails-room {
		text = "The grid is in the store: `" + ledger.GridKey(id) + "`"
	}
	for i, e := range extensions {
		key := cmp.Or(e.Key, ledger.ExtensionKey(id, e.Cells))
		whole := fmt.Sprintf("%s\n\nExtended by:\n\n%s", text, fenced(e.Grid))
		short := fmt.Sprintf("%s\n\nExtended by a grid in the store: `%s`", text, key)
		switch {
		case len(e.Grid) > 0 && encodedSize(whole) <= maxDetails-room:
			text = whole
		case encodedSize(short) <= maxDetails-room/2:
			text = short
		default:
			return fmt.Sprintf("%s\n\nExtended by %d more grids in the store, the first of them: `%s`",
				text, len(extensions)-i, key)
		}
	}
	return text
}

// encodedSize is the number of bytes that a text has as JSON.
func encodedSize(text string) int {
	b, err := json.Marshal(text)
	if err != nil {
		return maxDetails + 1 // which does not occur: every text has JSON
	}
	return len(b)
}

// fenced returns a grid as a block of code in Markdown. The fence is longer than any row of backticks in the grid, so
// that nothing in the grid ends the block.
func fenced(src []byte) string {
	text := strings.ToValidUTF8(strings.TrimSpace(string(src)), "\uFFFD")
	longest, row := 0, 0
	for _, r := range text {
		if row++; r != '`' {
			row = 0
		}
		longest = max(longest, row)
	}
	fence := strings.Repeat("`", max(3, longest+1))
	return fence + "yaml\n" + text + "\n" + fence
}

// maxShortGrid is the number of bytes of a grid that a running sweep is told when it is extended.
const maxShortGrid = 4096

// shortGrid returns a grid for people, cut at the end of a line if it is longer than maxShortGrid bytes. key is where
// it lies in the store.
func shortGrid(src []byte, key string) string {
	text := strings.ToValidUTF8(strings.TrimSpace(string(src)), "\uFFFD")
	if len(text) <= maxShortGrid {
		return text
	}
	rest := "\n# … the rest is in the store: " + key
	n := maxShortGrid - len(rest)
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	text = text[:n]
	if i := strings.LastIndexByte(text, '\n'); i > 0 {
		text = text[:i]
	}
	return text + rest
}

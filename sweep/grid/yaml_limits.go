package grid

import (
	"fmt"

	"github.com/goccy/go-yaml/token"
)

// Limits of a file, far above what a grid needs. The time that the YAML library takes grows with the square of the
// depth, of the number of keys in one map, and of the number of empty values. The limits keep a malicious file from
// taking very long.
const (
	maxDepth  = 32     // of nesting: [[[… and - - -…
	maxIndent = 128    // columns
	maxKeys   = 1000   // in one map
	maxEmpty  = 10_000 // keys and dashes with nothing after them in their line
)

// tooComplex returns the position and the message of the first limit that a file exceeds; the message is "" if it
// exceeds none.
func tooComplex(tokens token.Tokens) (position, string) {
	var c complexity
	for _, t := range tokens {
		pos := position{t.Position.Line, t.Position.Column}
		if pos.line != c.line {
			c.line, c.openers = pos.line, 0
			if len(c.collections) == 0 && t.Type != token.CommentType {
				if pos.column > maxIndent {
					return pos, fmt.Sprintf("indented by more than %d columns", maxIndent)
				}
				if c.addLine(t, pos.column) > maxKeys {
					return pos, fmt.Sprintf("more than %d keys in one map", maxKeys)
				}
			}
		}
		keys := c.add(t)
		switch {
		case keys > maxKeys:
			return pos, fmt.Sprintf("more than %d keys in one map", maxKeys)
		case c.empty > maxEmpty:
			return pos, fmt.Sprintf("more than %d keys and dashes with nothing behind them", maxEmpty)
		case len(c.collections) > maxDepth || c.openers > maxDepth:
			return pos, fmt.Sprintf("nested more than %d deep", maxDepth)
		}
	}
	return position{}, ""
}

// A complexity reads the tokens of a file and counts how deep and how wide the file is.
//
//	a: {b: [1, 2]}      after the 1: collections = {, [
//	- - - x             openers = 3, each of which opens a list in the one before
//	a:                  empty = 1: the value may be in the next lines, or there is none
type complexity struct {
	line        int
	openers     int                // tokens such as - : ? & * ! in this line, since the last bracket or comma
	empty       int                // keys and dashes with nothing after them in their line
	blockKeys   [maxIndent + 2]int // for each column: number of keys in the open block map that begins there
	collections []collection       // the open brackets and braces
}

// A collection is an open [ or {.
type collection struct {
	isMap    bool
	keys     int  // entries that have ended
	hasValue bool // the present entry has a colon, or is a collection
}

// addLine adds the first token of a line outside of brackets. It returns the number of keys so far in the block map
// that the line belongs to.
func (c *complexity) addLine(t *token.Token, column int) int {
	clear(c.blockKeys[column+1:]) // maps that are indented further have ended
	if t.Type != token.SequenceEntryType {
		c.blockKeys[column]++
	}
	return c.blockKeys[column]
}

// add adds a token. It returns the number of keys so far in the innermost pair of braces, after each comma in it, else
// 0.
func (c *complexity) add(t *token.Token) int {
	var top *collection
	if n := len(c.collections); n > 0 {
		top = &c.collections[n-1]
	}
	switch t.Type {
	case token.SequenceStartType, token.MappingStartType:
		c.openers = 0
		c.collections = append(c.collections, collection{isMap: t.Type == token.MappingStartType})
	case token.CollectEntryType, token.SequenceEndType, token.MappingEndType:
		c.openers = 0
		if top == nil {
			break
		}
		if top.isMap && !top.hasValue {
			c.empty++
		}
		top.keys++
		top.hasValue = false
		if t.Type != token.CollectEntryType {
			c.collections = c.collections[:len(c.collections)-1]
			if n := len(c.collections); n > 0 {
				c.collections[n-1].hasValue = true
			}
		} else if top.isMap {
			return top.keys
		}
	case token.MappingValueType, token.SequenceEntryType, token.MappingKeyType,
		token.AnchorType, token.AliasType, token.TagType:
		c.openers++
		if top != nil && t.Type == token.MappingValueType {
			top.hasValue = true
		}
		next := t.Next
		if next == nil || next.Position.Line != t.Position.Line ||
			next.Type == token.CollectEntryType || next.Type == token.MappingEndType {
			c.empty++
		}
	}
	return 0
}

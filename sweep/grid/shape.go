package grid

import (
	"fmt"

	"github.com/goccy/go-yaml/token"
)

// Bounds on the shape of a file, far above what a grid needs. The YAML parser
// takes time quadratic in the depth, in the keys of one map and in the values
// left out; these keep a hostile file from using it.
const (
	maxDepth  = 32     // [[[… and - - -…
	maxIndent = 128    // columns
	maxKeys   = 1000   // of one map
	maxBare   = 10_000 // keys and dashes with nothing behind them
)

// A shape follows the tokens of a file to see how deep and how wide it is.
type shape struct {
	line  int
	run   int                // structure in a row, with nothing between
	bare  int                // keys and dashes with nothing behind them
	block [maxIndent + 2]int // keys of the open block map at each column
	flow  []flow             // the open brackets
}

type flow struct {
	dict  bool
	keys  int
	colon bool // the entry has a colon so far, or is a collection
}

// tooComplex looks for a shape that the parser would take too long over.
func tooComplex(tokens token.Tokens) (position, string) {
	var s shape
	for _, t := range tokens {
		pos := position{t.Position.Line, t.Position.Column}
		if pos.line != s.line {
			s.line, s.run = pos.line, 0
			if len(s.flow) == 0 && t.Type != token.CommentType {
				if pos.column > maxIndent {
					return pos, fmt.Sprintf("indented by more than %d columns", maxIndent)
				}
				if s.newLine(t, pos.column) > maxKeys {
					return pos, fmt.Sprintf("more than %d keys in one map", maxKeys)
				}
			}
		}
		keys := s.add(t)
		switch {
		case keys > maxKeys:
			return pos, fmt.Sprintf("more than %d keys in one map", maxKeys)
		case s.bare > maxBare:
			return pos, fmt.Sprintf("more than %d keys and dashes with nothing behind them", maxBare)
		case len(s.flow) > maxDepth || s.run > maxDepth:
			return pos, fmt.Sprintf("nested more than %d deep", maxDepth)
		}
	}
	return position{}, ""
}

// newLine notes the first token of a line outside of brackets and returns the
// keys so far of the block map that it belongs to.
func (s *shape) newLine(t *token.Token, column int) int {
	clear(s.block[column+1:]) // maps further in have ended
	if t.Type != token.SequenceEntryType {
		s.block[column]++
	}
	return s.block[column]
}

// add notes a token and returns the keys so far of the open flow map.
func (s *shape) add(t *token.Token) int {
	var top *flow
	if n := len(s.flow); n > 0 {
		top = &s.flow[n-1]
	}
	switch t.Type {
	case token.SequenceStartType, token.MappingStartType:
		s.run = 0
		s.flow = append(s.flow, flow{dict: t.Type == token.MappingStartType})
	case token.CollectEntryType, token.SequenceEndType, token.MappingEndType:
		s.run = 0
		if top == nil {
			break
		}
		if top.dict && !top.colon {
			s.bare++
		}
		top.keys++
		top.colon = false
		if t.Type != token.CollectEntryType {
			s.flow = s.flow[:len(s.flow)-1]
			if n := len(s.flow); n > 0 {
				s.flow[n-1].colon = true
			}
		} else if top.dict {
			return top.keys
		}
	case token.MappingValueType, token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.AliasType, token.TagType:
		s.run++
		if top != nil && t.Type == token.MappingValueType {
			top.colon = true
		}
		next := t.Next
		if next == nil || next.Position.Line != t.Position.Line || next.Type == token.CollectEntryType || next.Type == token.MappingEndType {
			s.bare++
		}
	}
	return 0
}

package grid

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	yamlparser "github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// readYAML reads the one document of src. It adds errors to p, and returns nil if nothing of the document can be used.
func (p *parser) readYAML(src []byte) (root *node) {
	// The YAML library is well tested. Still, a panic in it must not end a server that reads a bad file.
	defer func() {
		if r := recover(); r != nil {
			p.errorf(position{1, 1}, "", "the YAML cannot be read: %v", r)
			root = nil
		}
	}()
	text := strings.TrimPrefix(string(src), "\ufeff") // the byte order mark that some Windows editors write
	if i := invalidAt(text); i >= 0 {
		p.notText(text, i)
		return nil
	}
	tokens := lexer.Tokenize(text)
	if pos, msg := tooComplex(tokens); msg != "" {
		p.errorf(pos, "", "%s", msg)
		return nil
	}
	// The library would stop at the first duplicate key. nodeReader reports all of them.
	file, err := yamlparser.Parse(tokens, 0, yamlparser.AllowDuplicateMapKey())
	if err != nil {
		p.syntaxError(err)
		return nil
	}
	var bodies []ast.Node
	for _, d := range file.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType && d.Body.Type() != ast.DirectiveType {
			bodies = append(bodies, d.Body)
		}
	}
	if len(bodies) == 0 {
		p.errorf(position{1, 1}, "", "the file is empty: a grid has at least name, data and parameters")
		return nil
	}
	r := nodeReader{parser: p, anchors: map[string]*node{}}
	root = r.read(bodies[0], "")
	if len(bodies) > 1 {
		p.errorf(positionOf(bodies[1]), "",
			"a second document: a grid is one document, so remove the --- line or split the file")
	}
	if r.aliased > maxAliased {
		return nil
	}
	return root
}

// invalidAt returns the index of the first byte that is NUL or not UTF-8, or -1.
func invalidAt(s string) int {
	for i, r := range s {
		if r == 0 {
			return i
		}
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return i
			}
		}
	}
	return -1
}

// notText reports the invalid byte at index i.
func (p *parser) notText(text string, i int) {
	line := text[strings.LastIndexByte(text[:i], '\n')+1 : i]
	at := position{1 + strings.Count(text[:i], "\n"), 1 + utf8.RuneCountInString(line)}
	if text[i] == 0 {
		p.errorf(at, "", "a NUL byte: the file is not text, or text in UTF-16; want UTF-8")
	} else {
		p.errorf(at, "", "the byte 0x%02x is not UTF-8: the file is not text, or text in another encoding", text[i])
	}
}

// syntaxError reports an error of the YAML library.
func (p *parser) syntaxError(err error) {
	pos, msg := position{1, 1}, err.Error()
	var se *yaml.SyntaxError
	if errors.As(err, &se) {
		msg = se.Message
		if t := se.Token; t != nil {
			pos = position{t.Position.Line, t.Position.Column}
			if key, at, ok := keyInText(t); ok {
				pos = at
				msg = fmt.Sprintf("the key %s is read as a further line of the text in line %d: "+
					"it is indented too far, or a colon is missing there", key, t.Position.Line)
			}
		}
	}
	if strings.Contains(msg, "'\t'") {
		msg = "a tab: YAML is indented with spaces"
	}
	p.errorf(pos, "", "%s", msg)
}

// keyInText finds a key that YAML takes for a line of the text before it. The library reports the text's position; a
// person looks for the key's. In
//
//	name: x
//	 data: {source: acts}
//
// the value of name is the text "x data", t is its token, and the key is data, in line 2.
func keyInText(t *token.Token) (key string, at position, ok bool) {
	if t.Type != token.StringType || t.Next == nil || t.Next.Type != token.MappingValueType ||
		t.Next.Position.Line == t.Position.Line {
		return "", at, false
	}
	line := t.Origin[strings.LastIndexByte(t.Origin, '\n')+1:]
	key = strings.TrimLeft(line, " ")
	return strings.TrimSpace(key), position{t.Next.Position.Line, 1 + len(line) - len(key)}, true
}

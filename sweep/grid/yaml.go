package grid

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxAliased bounds the values that aliases stand for, all together: far above
// what a grid needs, far below what a bomb asks for.
const maxAliased = 100_000

// readYAML reads the one document of src. Its errors are added to p; it returns
// nil when there is nothing to go on with.
func (p *parse) readYAML(src []byte) (root *node) {
	// The parser is well tested, but a panic in it must not end a server that
	// was handed a bad file.
	defer func() {
		if r := recover(); r != nil {
			p.errorf(position{1, 1}, "", "the YAML cannot be read: %v", r)
			root = nil
		}
	}()
	text := strings.TrimPrefix(string(src), "\ufeff")
	if i := invalidAt(text); i >= 0 {
		line := text[strings.LastIndexByte(text[:i], '\n')+1 : i]
		at := position{1 + strings.Count(text[:i], "\n"), 1 + utf8.RuneCountInString(line)}
		if text[i] == 0 {
			p.errorf(at, "", "a NUL byte: the file is not text, or text in UTF-16; want UTF-8")
		} else {
			p.errorf(at, "", "the byte 0x%02x is not UTF-8: the file is not text, or text in another encoding", text[i])
		}
		return nil
	}
	tokens := lexer.Tokenize(text)
	if pos, msg := tooComplex(tokens); msg != "" {
		p.errorf(pos, "", "%s", msg)
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // duplicates are reported here, all at once
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
	r := reader{p: p, anchors: map[string]*node{}}
	root = r.read(bodies[0], "")
	if len(bodies) > 1 {
		p.errorf(posOf(bodies[1]), "", "a second document: a grid is one document, so remove the --- line or split the file")
	}
	if r.aliased > maxAliased {
		return nil
	}
	return root
}

// invalidAt returns the index of the first byte that is not text, or −1.
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

func (p *parse) syntaxError(err error) {
	pos, msg := position{1, 1}, err.Error()
	var se *yaml.SyntaxError
	if errors.As(err, &se) {
		msg = se.Message
		if t := se.Token; t != nil {
			pos = position{t.Position.Line, t.Position.Column}
			if key, at, ok := keyInText(t); ok {
				pos, msg = at, fmt.Sprintf("the key %s is read as a further line of the text in line %d: it is indented too far, or a colon is missing there", key, t.Position.Line)
			}
		}
	}
	if strings.Contains(msg, "'\t'") {
		msg = "a tab: YAML is indented with spaces"
	}
	p.errorf(pos, "", "%s", msg)
}

// keyInText finds the key that YAML takes for a further line of the text before
// it: the parser says where the text begins.
func keyInText(t *token.Token) (key string, at position, ok bool) {
	if t.Type != token.StringType || t.Next == nil || t.Next.Type != token.MappingValueType || t.Next.Position.Line == t.Position.Line {
		return "", at, false
	}
	line := t.Origin[strings.LastIndexByte(t.Origin, '\n')+1:]
	key = strings.TrimLeft(line, " ")
	return strings.TrimSpace(key), position{t.Next.Position.Line, 1 + len(line) - len(key)}, true
}

// A reader turns the parser's tree into nodes.
type reader struct {
	p       *parse
	anchors map[string]*node // nil while its value is being read
	aliased int64            // values that the aliases so far stand for
}

func posOf(n ast.Node) position {
	switch x := n.(type) {
	case *ast.MappingNode:
		if !x.IsFlowStyle && len(x.Values) > 0 {
			return posOf(x.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return posOf(x.Key)
	}
	if t := n.GetToken(); t != nil {
		return position{t.Position.Line, t.Position.Column}
	}
	return position{1, 1}
}

func (r *reader) read(n ast.Node, path string) *node {
	if n == nil {
		return &node{pos: position{1, 1}, size: 1}
	}
	out := &node{pos: r.p.lines.clamp(posOf(n)), size: 1}
	fail := func(format string, args ...any) {
		out.kind = unreadable
		r.p.errorf(out.pos, path, format, args...)
	}
	switch x := n.(type) {
	case *ast.MappingNode:
		out.kind = dict
		r.readMap(out, x.Values, path)
	case *ast.MappingValueNode:
		out.kind = dict
		r.readMap(out, []*ast.MappingValueNode{x}, path)
	case *ast.SequenceNode:
		out.kind = list
		for i, v := range x.Values {
			item := r.read(v, fmt.Sprintf("%s[%d]", path, i))
			out.items = append(out.items, item)
			out.size += item.size
		}
	case *ast.AnchorNode:
		name := x.Name.GetToken().Value
		r.anchors[name] = nil
		out = r.read(x.Value, path)
		r.anchors[name] = out
	case *ast.AliasNode:
		name := x.Value.GetToken().Value
		target, known := r.anchors[name]
		switch {
		case !known:
			fail("alias *%s: there is no anchor &%s before it", name, name)
		case target == nil:
			fail("alias *%s: inside of its own anchor", name)
		case r.aliased > maxAliased:
			out.kind = unreadable // reported at the first
		default:
			r.aliased += target.size
			if r.aliased <= maxAliased {
				return target
			}
			fail("the aliases up to here stand for more than %d values", maxAliased)
		}
	case *ast.TagNode:
		fail("tag %s: a grid has no tags", x.Start.Value)
	case *ast.NullNode:
	case *ast.LiteralNode:
		out.kind, out.text, out.quoted = scalar, x.Value.Value, true
	case *ast.StringNode:
		out.kind, out.text = scalar, x.Value
		out.quoted = x.Token.Type == token.DoubleQuoteType || x.Token.Type == token.SingleQuoteType
	case ast.ScalarNode:
		out.kind, out.text = scalar, x.GetToken().Value
	default:
		fail("%s has no place in a grid", n.Type())
	}
	return out
}

func (r *reader) readMap(out *node, values []*ast.MappingValueNode, path string) {
	var merged []*node
	for _, v := range values {
		pos := r.p.lines.clamp(posOf(v.Key))
		if v.Key.IsMergeKey() {
			merged = append(merged, r.mergees(v.Value, path)...)
			continue
		}
		key := v.Key.GetToken().Value
		if a, ok := ast.Node(v.Key).(*ast.AnchorNode); ok {
			key = a.Value.GetToken().Value
		}
		if before := out.get(key); before != nil {
			r.p.errorf(pos, join(path, key), "given twice; first in line %d", before.pos.line)
			continue
		}
		value := r.read(v.Value, join(path, key))
		if value.kind == null {
			value.pos = pos
		}
		out.entries = append(out.entries, entry{key, pos, value})
		out.size += value.size
	}
	// A key of the map itself goes before a merged one, an earlier merged map
	// before a later one.
	for _, m := range merged {
		out.lacking = out.lacking || m.unclear()
		for _, e := range m.entries {
			if out.get(e.key) == nil {
				out.entries = append(out.entries, e)
				out.size += e.value.size
			}
		}
	}
}

func (r *reader) mergees(v ast.Node, path string) []*node {
	n := r.read(v, path)
	from := []*node{n}
	if n.kind == list {
		from = n.items
	}
	for _, m := range from {
		if m.kind != dict && m.kind != unreadable {
			r.p.wrong(m, path, "<<: merges maps")
		}
	}
	return from
}

// join appends a key to a path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

package grid

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// maxAliased limits the number of values that all aliases of a file stand for. A grid needs far fewer. A malicious file
// in which each alias doubles the one before would stand for billions.
const maxAliased = 100_000

// A nodeReader turns the syntax tree of the YAML library into nodes.
type nodeReader struct {
	parser  *parser
	anchors map[string]*node // nil while the anchor's value is being read
	aliased int64            // number of values that the aliases so far stand for
}

// read returns the node of a syntax tree. path is its key in the file.
func (r *nodeReader) read(n ast.Node, path string) *node {
	if n == nil {
		return &node{pos: position{1, 1}, size: 1}
	}
	out := &node{pos: r.parser.lengths.clamp(positionOf(n)), size: 1}
	fail := func(format string, args ...any) {
		out.kind = unreadableNode
		r.parser.errorf(out.pos, path, format, args...)
	}
	switch x := n.(type) {
	case *ast.MappingNode:
		out.kind = mapNode
		r.readMap(out, x.Values, path)
	case *ast.MappingValueNode:
		out.kind = mapNode
		r.readMap(out, []*ast.MappingValueNode{x}, path)
	case *ast.SequenceNode:
		out.kind = listNode
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
			out.kind = unreadableNode // the first alias above the limit has the error
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
		out.kind, out.text, out.quoted = scalarNode, x.Value.Value, true
	case *ast.StringNode:
		out.kind, out.text = scalarNode, x.Value
		out.quoted = x.Token.Type == token.DoubleQuoteType || x.Token.Type == token.SingleQuoteType
	case ast.ScalarNode:
		out.kind, out.text = scalarNode, x.GetToken().Value
	default:
		fail("%s has no place in a grid", n.Type())
	}
	return out
}

// readMap reads the entries of a map into out.
func (r *nodeReader) readMap(out *node, values []*ast.MappingValueNode, path string) {
	var merged []*node
	for _, v := range values {
		pos := r.parser.lengths.clamp(positionOf(v.Key))
		if v.Key.IsMergeKey() {
			merged = append(merged, r.readMerged(v.Value, path)...)
			continue
		}
		key := v.Key.GetToken().Value
		if a, ok := ast.Node(v.Key).(*ast.AnchorNode); ok {
			key = a.Value.GetToken().Value
		}
		if before := out.get(key); before != nil {
			r.parser.errorf(pos, join(path, key), "given twice; first in line %d", before.pos.line)
			continue
		}
		value := r.read(v.Value, join(path, key))
		if value.kind == nullNode {
			value.pos = pos
		}
		out.entries = append(out.entries, entry{key, pos, value})
		out.size += value.size
	}
	// The map's own keys take precedence over merged ones, and earlier merged maps over later ones.
	for _, m := range merged {
		out.mergeFailed = out.mergeFailed || m.incomplete()
		for _, e := range m.entries {
			if out.get(e.key) == nil {
				out.entries = append(out.entries, e)
				out.size += e.value.size
			}
		}
	}
}

// readMerged returns the maps that a merge key names: <<: *a, or <<: [*a, *b].
func (r *nodeReader) readMerged(v ast.Node, path string) []*node {
	n := r.read(v, path)
	maps := []*node{n}
	if n.kind == listNode {
		maps = n.items
	}
	for _, m := range maps {
		if m.kind != mapNode && m.kind != unreadableNode {
			r.parser.wrongKind(m, path, "<<: merges maps")
		}
	}
	return maps
}

// positionOf returns the position of a syntax tree. A map without braces begins at its first key.
func positionOf(n ast.Node) position {
	switch x := n.(type) {
	case *ast.MappingNode:
		if !x.IsFlowStyle && len(x.Values) > 0 {
			return positionOf(x.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return positionOf(x.Key)
	}
	if t := n.GetToken(); t != nil {
		return position{t.Position.Line, t.Position.Column}
	}
	return position{1, 1}
}

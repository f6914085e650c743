package grid

import "slices"

// A node is one value of the file, with its position. Aliases are resolved and merge keys applied. An alias shares the
// node of its anchor, so that the tree of nodes takes no more memory than the file.
type node struct {
	kind        nodeKind
	text        string  // scalarNode: as written, without quotes
	quoted      bool    // scalarNode: written in quotes, or as a block of text
	items       []*node // listNode
	entries     []entry // mapNode, in file order
	mergeFailed bool    // mapNode: a map that is merged into it could not be read
	pos         position
	size        int64 // number of nodes in this subtree, if each alias were a copy
}

// An entry is one key of a map, with its value.
type entry struct {
	key   string
	pos   position // of the key
	value *node
}

type nodeKind int

const (
	nullNode nodeKind = iota
	scalarNode
	listNode
	mapNode
	unreadableNode // its error has been reported
)

// String names the kind as error messages do.
func (k nodeKind) String() string {
	return [...]string{"nothing", "a value", "a list", "a map", "an error"}[k]
}

// get returns the entry of a key, or nil.
func (n *node) get(key string) *entry {
	for i := range n.entries {
		if n.entries[i].key == key {
			return &n.entries[i]
		}
	}
	return nil
}

// value returns the value of a key, or nil.
func (n *node) value(key string) *node {
	if e := n.get(key); e != nil {
		return e.value
	}
	return nil
}

// incomplete reports whether something in the subtree could not be read. Then a key that seems to be missing may be in
// the unreadable part. n may be nil.
func (n *node) incomplete() bool {
	if n == nil {
		return false
	}
	return n.kind == unreadableNode || n.mergeFailed || slices.ContainsFunc(n.items, (*node).incomplete) ||
		slices.ContainsFunc(n.entries, func(e entry) bool { return e.value.incomplete() })
}

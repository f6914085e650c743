package grid

import "slices"

// A node is a value of the file: what the YAML says, with aliases followed and
// merge keys applied, and where it says it. An alias shares the node that it
// names, so that the tree takes no more memory than the file.
type node struct {
	kind    nodeKind
	text    string  // scalar: as written, quotes removed
	quoted  bool    // scalar: written in quotes or as a block of text
	items   []*node // list
	entries []entry // dict, in file order
	lacking bool    // dict: a map that it merges could not be read
	pos     position
	size    int64 // nodes below and including this one, were aliases copied
}

// An entry is one key of a dict.
type entry struct {
	key   string
	pos   position
	value *node
}

type nodeKind int

const (
	null nodeKind = iota
	scalar
	list
	dict
	unreadable // an error has been reported for it
)

// String names the kind as an error message does.
func (k nodeKind) String() string {
	return [...]string{"nothing", "a value", "a list", "a map", "an error"}[k]
}

// A position is a line and a column, both from 1; the column counts characters.
type position struct{ line, column int }

// get returns the entry of a key, or nil.
func (n *node) get(key string) *entry {
	for i := range n.entries {
		if n.entries[i].key == key {
			return &n.entries[i]
		}
	}
	return nil
}

// unclear reports whether something below n, which may be nil, could not be
// read: then what is not there may have been meant to be.
func (n *node) unclear() bool {
	if n == nil {
		return false
	}
	return n.kind == unreadable || n.lacking || slices.ContainsFunc(n.items, (*node).unclear) ||
		slices.ContainsFunc(n.entries, func(e entry) bool { return e.value.unclear() })
}

// value returns the value of a key, or nil.
func (n *node) value(key string) *node {
	if e := n.get(key); e != nil {
		return e.value
	}
	return nil
}

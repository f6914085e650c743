package arrowfile

import "fmt"

// These are members of the union Type of Schema.fbs.
const (
	typeNull            = 1
	typeInt             = 2
	typeFloat           = 3
	typeBinary          = 4
	typeUtf8            = 5
	typeBool            = 6
	typeDecimal         = 7
	typeDate            = 8
	typeTime            = 9
	typeTimestamp       = 10
	typeInterval        = 11
	typeList            = 12
	typeStruct          = 13
	typeUnion           = 14
	typeFixedSizeBinary = 15
	typeFixedSizeList   = 16
	typeMap             = 17
	typeDuration        = 18
	typeLargeBinary     = 19
	typeLargeUtf8       = 20
	typeLargeList       = 21
	typeRunEndEncoded   = 22
	typeBinaryView      = 23
	typeUtf8View        = 24
	typeListView        = 25
	typeLargeListView   = 26
)

// Metadata versions, as Message.fbs counts them.
const (
	version4 = 3
	version5 = 4
)

// maxDepth bounds how deep types are nested, and maxFields how many there are with those in others. Each takes
// leastField bytes of metadata at least. maxName bounds the bytes of a name.
const (
	maxDepth   = 32
	maxFields  = 1 << 16
	leastField = 8
	maxName    = 64 << 10
)

// A field is a column or the child of one.
type field struct {
	name     string
	kind     int
	size     int // numbers of a fixed-size list; bytes of a floating-point number
	dense    bool
	coded    bool // by a dictionary
	children []field
}

// readField reads a table Field.
func (f *flat) readField(t table, depth int) field {
	out := field{name: f.name(t, 0), kind: f.byteField(t, 2), coded: f.field(t, 4) > 0}
	what := f.tableField(t, 3)
	switch out.kind {
	case typeFloat:
		out.size = 2 << f.shortField(what, 0) // half, single, double
	case typeFixedSizeList:
		out.size = f.intField(what, 0)
	case typeUnion:
		out.dense = f.shortField(what, 0) == 1
	}
	if f.fields++; depth > maxDepth || f.fields > maxFields {
		f.err = bad("it has more than %d types, or they are nested more than %d deep", maxFields, maxDepth)
	} else if f.fields > len(f.b)/leastField {
		f.err = errMetadata
	}
	f.tables(t, 5, func(c table) { out.children = append(out.children, f.readField(c, depth+1)) })
	return out
}

// isVector reports whether the field is a list, or lists of lists, of floating-point numbers.
func (d *field) isVector() bool {
	leaf := d.leaf()
	return leaf != d && leaf.kind == typeFloat && (leaf.size == 2 || leaf.size == 4 || leaf.size == 8)
}

func (d *field) isList() bool {
	switch d.kind {
	case typeList, typeLargeList, typeFixedSizeList:
		return len(d.children) == 1 && !d.coded
	}
	return false
}

// leaf returns what is in the innermost list.
func (d *field) leaf() *field {
	for d.isList() {
		d = &d.children[0]
	}
	return d
}

// describe names the type for people.
func (d *field) describe() string {
	switch {
	case d.coded:
		return "dictionary"
	case d.kind == typeFixedSizeList && d.isList():
		return fmt.Sprintf("%s[%d]", d.children[0].describe(), d.size)
	case d.isList():
		return "list<" + d.children[0].describe() + ">"
	}
	switch d.kind {
	case typeInt:
		return "integer"
	case typeFloat:
		return fmt.Sprintf("float%d", 8*d.size)
	case typeUtf8, typeLargeUtf8, typeUtf8View:
		return "text"
	case typeBool:
		return "bool"
	case typeStruct:
		return "struct"
	}
	return "another type"
}

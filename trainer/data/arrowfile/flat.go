package arrowfile

import (
	"encoding/binary"
	"fmt"
)

// A formatError says what is wrong with a file.
type formatError string

func (e formatError) Error() string { return string(e) }

func bad(format string, a ...any) error { return formatError(fmt.Sprintf(format, a...)) }

// errMetadata says that a FlatBuffer points outside of itself.
const errMetadata = formatError("its metadata are damaged: copy or write it again")

// A flat is a FlatBuffer. After an error its results are zeros, and err stays.
type flat struct {
	b      []byte
	err    error
	fields int // that were read, and names the bytes of their names: damaged metadata may point to one many times
	names  int
}

// A table is the position of a table in a FlatBuffer; 0 for none.
type table int

// bytes returns n bytes from at on, or nil after an error.
func (f *flat) bytes(at, n int) []byte {
	if at < 0 || n < 0 || at > len(f.b)-n {
		f.err = errMetadata
		return nil
	}
	return f.b[at : at+n]
}

func (f *flat) u16(at int) int {
	if b := f.bytes(at, 2); b != nil {
		return int(binary.LittleEndian.Uint16(b))
	}
	return 0
}

func (f *flat) u32(at int) int {
	if b := f.bytes(at, 4); b != nil {
		return int(binary.LittleEndian.Uint32(b))
	}
	return 0
}

func (f *flat) i64(at int) int64 {
	if b := f.bytes(at, 8); b != nil {
		return int64(binary.LittleEndian.Uint64(b))
	}
	return 0
}

// root returns the table of the whole buffer.
func (f *flat) root() table { return table(f.u32(0)) }

// field returns where the i-th field of a table is, or 0 if the table does not have it.
func (f *flat) field(t table, i int) int {
	if t == 0 || f.err != nil {
		return 0
	}
	vtable := int(t) - int(int32(f.u32(int(t))))
	slot := 4 + 2*i
	if slot+2 > f.u16(vtable) {
		return 0
	}
	off := f.u16(vtable + slot)
	if off == 0 || f.err != nil {
		return 0
	}
	return int(t) + off
}

func (f *flat) byteField(t table, i int) int {
	if at := f.field(t, i); at > 0 {
		if b := f.bytes(at, 1); b != nil {
			return int(b[0])
		}
	}
	return 0
}

func (f *flat) shortField(t table, i int) int {
	if at := f.field(t, i); at > 0 {
		return f.u16(at)
	}
	return 0
}

func (f *flat) intField(t table, i int) int {
	if at := f.field(t, i); at > 0 {
		return int(int32(f.u32(at)))
	}
	return 0
}

func (f *flat) longField(t table, i int) int64 {
	if at := f.field(t, i); at > 0 {
		return f.i64(at)
	}
	return 0
}

// refField follows the offset in a field: to a table, a vector or a string. It returns 0 if there is none.
func (f *flat) refField(t table, i int) int {
	at := f.field(t, i)
	if at == 0 {
		return 0
	}
	return at + f.u32(at)
}

func (f *flat) tableField(t table, i int) table { return table(f.refField(t, i)) }

// vector returns where the elements of a field begin, and how many of size bytes there are.
func (f *flat) vector(t table, i, size int) (at, n int) {
	at = f.refField(t, i)
	if at == 0 {
		return 0, 0
	}
	n = f.u32(at)
	if n > len(f.b)/size || f.bytes(at+4, n*size) == nil && n > 0 {
		f.err = errMetadata
		return 0, 0
	}
	return at + 4, n
}

// tables calls do with each table of a vector of them, until there is an error.
func (f *flat) tables(t table, i int, do func(t table)) {
	at, n := f.vector(t, i, 4)
	for j := range n {
		of := table(at + 4*j + f.u32(at+4*j))
		if f.err != nil {
			return
		}
		do(of)
	}
}

// name reads the name of a field.
func (f *flat) name(t table, i int) string {
	at, n := f.vector(t, i, 1)
	if f.names += n; n > maxName {
		f.err = bad("a column's name has %d bytes: want at most %d", n, maxName)
	} else if f.names > len(f.b) {
		f.err = errMetadata
	}
	if f.err != nil {
		return ""
	}
	return string(f.bytes(at, n))
}
